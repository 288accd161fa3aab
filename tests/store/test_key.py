import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.errors import StoreError
from xla_evo.store import Key

PARTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5)


def test_digest_is_the_same_on_every_machine():
    # sha256sum of: ["timing",[["program","ab"],["backend","cpu"],["flags","\u00fc"]]]
    key = Key.of("timing", program="ab", backend="cpu", flags="ü")
    assert key.digest == "fa2e7fa277187316e043f98ac8c640a4e587cb7d64b26a80686856e9f58b4a0b"
    assert str(key) == "timing(program=ab, backend=cpu, flags=ü)"


@given(PARTS, PARTS)
def test_digests_are_equal_exactly_when_keys_are(first, second):
    one, other = (Key("k", tuple(parts.items())) for parts in (first, second))
    assert (one.digest == other.digest) == (one == other)


def test_kind_and_order_and_borders_of_parts_matter():
    keys = [
        Key("k", (("a", "b"), ("c", "d"))),
        Key("k", (("c", "d"), ("a", "b"))),
        Key("l", (("a", "b"), ("c", "d"))),
        Key("k", (("a", 'b","c'), ("d", ""))),
        Key("k", ()),
    ]
    assert len({key.digest for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [("", ()), ("k", (("a", "1"), ("a", "2"))), ("k", (("a", 1),)), ("k", ((1, "a"),))],
)
def test_refuses_what_is_not_a_key(kind, parts):
    with pytest.raises(StoreError):
        Key(kind, parts)
