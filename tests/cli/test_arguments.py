import argparse

import pytest

from xla_evo.cli.arguments import argument, parse_size
from xla_evo.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("1K", 1024),
        ("1.5M", 3 << 19),
        ("2GiB", 2 << 30),
        ("2gb", 2 << 30),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "M", "2X", "1e3", "two"])
def test_what_is_not_a_size(text):
    with pytest.raises(ConfigError, match="is not a size; write it as"):
        parse_size(text)


def test_argument_keeps_the_message():
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size"):
        argument(parse_size)("x")
