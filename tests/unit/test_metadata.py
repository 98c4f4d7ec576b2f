"""The rules of metadata, by the short way and the long one."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from mailpipe.messages import MetadataValue
from mailpipe.metadata import MAX_INTEGER, MAX_METADATA_BYTES, fault_of

TEXTS = st.text() | st.sampled_from(
    ["", "a\0b", "\ud800", "é", "x" * 700, "\x01" * 690, "x" * 4090]
)
INTEGERS = st.integers() | st.sampled_from(
    [sign * (MAX_INTEGER + beside) for sign in (1, -1) for beside in (-1, 0, 1)]
)


def is_sound(metadata: dict[str, MetadataValue]) -> bool:
    """The rules, one after another."""
    texts = "".join([*metadata, *(value for value in metadata.values() if isinstance(value, str))])
    if "\0" in texts or any("\ud800" <= one <= "\udfff" for one in texts):
        return False
    if any(type(value) is int and abs(value) > MAX_INTEGER for value in metadata.values()):
        return False
    return len(msgspec.json.encode(metadata)) <= MAX_METADATA_BYTES


@example({"a": "b\0"})
@example({"a\0": "b"})
@example({"a\0": 1})
@example({"a": "\ud800"})
@example({"\ud800": 1})
@example({"a": MAX_INTEGER + 1})
@example({"a": -MAX_INTEGER - 1})
@example({"a": -MAX_INTEGER, "b": True, "c": None})
@example({"x" * 2048: 7, "y" * 2036: 7})
@given(st.dictionaries(TEXTS, TEXTS | INTEGERS | st.booleans() | st.none(), max_size=4))
def test_what_is_refused_is_what_breaks_a_rule(metadata: dict[str, MetadataValue]) -> None:
    assert (fault_of(metadata) is None) is is_sound(metadata)
