"""The rules of metadata, by the short way and the long one."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from mailpipe.metadata import MAX_METADATA_BYTES, fault_of

TEXTS = st.text() | st.sampled_from(
    ["", "a\0b", "\ud800", "é", "x" * 700, "\x01" * 690, "x" * 4090]
)


@example({"a": "b\0"})
@example({"a\0": "b"})
@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_texts_are_refused_for_their_size_or_for_a_character(metadata: dict[str, str]) -> None:
    texts = "".join([*metadata, *metadata.values()])
    if "\0" in texts or any("\ud800" <= one <= "\udfff" for one in texts):
        assert fault_of(metadata) is not None
        return
    size = len(msgspec.json.encode(metadata))
    assert (fault_of(metadata) is None) is (size <= MAX_METADATA_BYTES)
