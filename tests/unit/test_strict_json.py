"""JSON without ambiguity: one meaning, or a refusal that says why."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoding import SendEmailRequest, SentAttachment, quick
from ingest.strict_json import MAX_DEPTH, MAX_STRUCTURE, check_shape, outside_texts, part, read
from mailpipe.rules import Violation
from tests.unit.reading_bodies import decode

ANYTHING = msgspec.json.Decoder(object)
GOOD = b'{"to":["a@example.com"],"from":"b@example.com","subject":"S","bodyText":"T"%s}'


def constraint(body: bytes) -> str | None:
    """What a body breaks as a request for an e-mail."""
    found = decode(body)
    return found.constraint if isinstance(found, Violation) else None


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        *((b"", "json"), (b"x", "json"), (b'{"to":', "json"), (GOOD % b"" + b"x", "json")),
        *((b"[]", "type"), (b'"x"', "type"), (b"null", "type")),
        *((GOOD % b',"metadata":{"a":%s}' % n, "number") for n in (b"NaN", b"-Infinity", b"1e999")),
        (GOOD % b',"metadata":{"a":%s}' % (b"9" * 5000), "number"),
        *((GOOD % b',"tags":{"a":"%s"}' % s, "unicode") for s in (rb"\ud800", rb"\udc00\ud800")),
        *((b"\xef\xbb\xbf" + GOOD % b"", "encoding"), (GOOD % b',"tags":{"\xff":""}', "encoding")),
        *(((GOOD % b"").decode().encode(one), "encoding") for one in ("utf-16", "utf-16-le")),
        (GOOD % b',"cc":["\0"]', "json"),
        (GOOD % b',"tenantId":"x"', "unknown_field"),
        (GOOD % b',"attachments":[{"url":"http://169.254.169.254/"}]', "unknown_field"),
    ],
)
def test_what_is_no_plain_json_is_refused(body: bytes, broken: str) -> None:
    assert constraint(body) == broken


SPACES = [b" ", b"  ", b"\t", b"\n", b"\r", b" \t", b"\n ", b"\t  "]
"""What RFC 8259 allows between a key and its colon."""


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (b',"subject":"other"', "subject"),
        *((b',"subject"%b:"other"' % space, "subject") for space in SPACES),
        (rb',"s\u0075bject":"other"', "subject"),
        (b',"metadata":{"a":1,"a":1}', "a"),
        (rb',"metadata":{"\u00e9\n":1,"\u00e9\n":2}', r"\xe9\n"),
    ],
)
def test_a_key_that_stands_twice_is_named(more: bytes, key: str) -> None:
    found = decode(GOOD % more)
    assert isinstance(found, Violation)
    assert (found.field, found.constraint) == (key, "duplicate_key")


@pytest.mark.parametrize("space", SPACES)
def test_space_before_a_colon_is_no_fault(space: bytes) -> None:
    assert quick(GOOD % (b',"cc"%b:[]' % space)) is not None


def test_the_same_key_in_two_objects_is_no_duplicate() -> None:
    body = b'{"emails":[{"to":1},{"to":{"to":2}}]}'
    assert read(ANYTHING, body) == json.loads(body)


def test_a_part_of_what_was_read_is_held_to_its_types_only() -> None:
    decoder = msgspec.json.Decoder(SendEmailRequest)
    assert isinstance(part(decoder, msgspec.Raw(GOOD % b"")), SendEmailRequest)
    found = part(decoder, msgspec.Raw(GOOD % b',"cc":5'))
    assert isinstance(found, Violation)
    assert (found.field, found.constraint) == ("cc", "type")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_without_end_is_refused_without_recursion(opening: bytes) -> None:
    assert constraint(b'{"template":' + opening * 100_000) == "depth"


def test_nesting_is_allowed_to_the_limit() -> None:
    assert read(ANYTHING, b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    found = read(ANYTHING, b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert isinstance(found, Violation)


def test_brackets_in_texts_are_no_nesting() -> None:
    text = '\\" [{" \\\\' * 1000
    body = json.dumps({"a": [text, text], text: {}}).encode()
    assert check_shape(body) is None
    assert read(ANYTHING, body) == json.loads(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{}",:\\ab\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}":\\a'), inner),
    max_leaves=40,
)


@given(JSON)
def test_what_any_other_reader_understands_is_understood_the_same(value: Any) -> None:
    body = json.dumps(value).encode()
    assert read(ANYTHING, body) == value


@given(JSON, st.integers(1, 9))
def test_what_stands_outside_of_texts_is_the_same_in_whatever_slices(
    value: Any, slice_bytes: int
) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    texts = re.findall(rb'"(?:[^"\\]|\\.)*"', body)
    slices = list(outside_texts(body, slice_bytes))
    assert sum(quotes for quotes, _ in slices) == 2 * len(texts)
    assert b"".join(rest for _, rest in slices) == re.sub(rb'"(?:[^"\\]|\\.)*"', b"", body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"[%s]" % b",".join([part] * (MAX_STRUCTURE // 2)) for part in (b"[]", b'""', b"{}")),
        b"{%s}" % b",".join(b'"%d":1' % number for number in range(MAX_STRUCTURE // 2)),
        *(b"1,1" * MAX_STRUCTURE * 2, b"]" * MAX_STRUCTURE * 2, b'"' * MAX_STRUCTURE * 2),
    ],
)
def test_what_would_take_much_more_memory_than_it_has_bytes_is_not_read(body: bytes) -> None:
    found = check_shape(body)
    assert found is not None
    assert (found.field, found.constraint) == ("body", "max_items")


def test_long_texts_of_whatever_characters_are_read() -> None:
    text = '{"a": [1,2]}, \\"\n' * 200_000
    body = json.dumps({"a": text, "b": [text, 1]}).encode()
    assert check_shape(body) is None
    found = check_shape(body[:-1] + b"," + b"[" * (MAX_DEPTH + 1))
    assert found is not None
    assert found.constraint == "depth"


@given(st.binary() | st.text('[]{}",:\\a1').map(str.encode))
def test_no_bytes_at_all_are_more_than_a_refusal(body: bytes) -> None:
    assert isinstance(decode(body), Violation)


def test_every_attachment_gives_each_of_its_names() -> None:
    """As `keys_inside` counts: with a name that may be left out a key could stand twice unseen."""
    assert all(one.required for one in msgspec.structs.fields(SentAttachment))
