import argparse
import math

import pytest

from xla_evo.cli.arguments import argument, parse_bound, parse_seed, parse_size, spare_values
from xla_evo.cli.main import make_parser
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


@pytest.mark.parametrize("text", ["", "-1", "M", "2X", "1e3", "two", "9" * 400])
def test_what_is_not_a_size(text):
    with pytest.raises(ConfigError, match="is not a size; write it as"):
        parse_size(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_bound, text) for text in ("0", "-1", " -1", "nan", "x", "")]
    + [(parse_seed, text) for text in ("-1", "1.5", "x", "", "9" * 5000)],
)
def test_numbers_out_of_range(parse, text):
    with pytest.raises(ConfigError, match="must be"):
        parse(text)


def test_argument_keeps_the_message():
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size"):
        argument(parse_size)("x")


@pytest.mark.parametrize("command", ["evolve", "verify", "bench"])
@pytest.mark.parametrize(
    ("words", "domain"),
    [
        ("-1e-3 1e-3", [-1e-3, 1e-3]),
        ("-inf 0", [-math.inf, 0.0]),
        ("-.5 -2.5E-1", [-0.5, -0.25]),
        ("0 1", [0.0, 1.0]),
    ],
)
def test_a_domain_may_have_any_numbers(command, words, domain):
    line = [command, "--domain", *words.split(), "x"]
    assert make_parser().parse_args(spare_values(line)).domain == domain


@pytest.mark.parametrize("text", ["-x", "-sin(x)", "-x*x + 1", "x - 1"])
def test_an_expression_may_begin_with_a_minus(text):
    line = ["evolve", "--expr", text, "--weight", text, "--json"]
    args = make_parser().parse_args(spare_values(line))
    assert (args.expr, args.weight, args.json) == (text, text, True)


@pytest.mark.parametrize("words", ["--domain -1 --json", "--expr --json", "--domain", "--expr"])
def test_a_missing_value_is_told(words):
    with pytest.raises(ConfigError, match="expected"):
        make_parser().parse_args(spare_values(["evolve", *words.split()]))
