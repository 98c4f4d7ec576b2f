"""A batch that is read all at once is what it is entry by entry, or it is not read so."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import batches, strict_json
from ingest.batches import BatchEntry
from ingest.decoding import SendEmailRequest, SentAttachment, keys_of
from mailpipe.messages import Email, fingerprint
from mailpipe.rules import Violation
from tests.unit.reading_bodies import decode, split

TEXTS = st.sampled_from(
    [*('"a"', '"to"', r'"t\u006f"', r'"\":"', r'"\" :"', '": "', r'"é\n"', '""', r'"\\"', r'"\\:"')]
)
GAPS = st.sampled_from(["", "", " ", "\n\t"])
DEEP = "[" * 40 + "]" * 40


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> str:
    """As text, some with a key twice, some with space before the colon."""
    pairs = draw(st.lists(st.tuples(names, GAPS, values), max_size=4))
    return "{" + ", ".join(f"{name}{gap}: {value}" for name, gap, value in pairs) + "}"


MAPS = objects(TEXTS, TEXTS)
FILES = objects(TEXTS, st.sampled_from(['"filename"', '"contentType"', '"content"']))
FIELDS = st.one_of(
    st.tuples(st.sampled_from(["subject", "bodyText", "stream", "idempotencyKey"]), TEXTS),
    st.tuples(st.just("stream"), st.sampled_from(['"bulk"', '"transactional"'])),
    st.tuples(st.just("inDoubt"), st.sampled_from(['"resend"', '"unknown"'])),
    st.tuples(st.sampled_from(["metadata", "tags", "headers"]), MAPS),
    st.tuples(st.just("attachments"), FILES.map(lambda one: f"[{one}]")),
    st.tuples(st.just("template"), st.one_of(MAPS, st.sampled_from([f'{{"a": {DEEP}}}', "{}"]))),
    st.sampled_from([("cc", "[]"), ("bodyHtml", "null"), ("c\\u0063", '["x"]'), ("other", "1")]),
)
GOOD_START = '"to": ["a@example.com"], "from": "b@example.com", "subject": "S"'


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An e-mail as text, often a good one."""
    more = draw(st.lists(st.tuples(FIELDS, GAPS), max_size=4))
    return "{" + GOOD_START + "".join(f', "{k}"{gap}: {v}' for (k, v), gap in more) + "}"


def one_by_one(body: bytes) -> Violation | list[BatchEntry | Violation]:
    """What the entries are when each is read by itself."""
    batch = strict_json.read(msgspec.json.Decoder(batches._Batch), body)
    if isinstance(batch, Violation):
        return batch
    return [strict_json.part(msgspec.json.Decoder(BatchEntry), raw) for raw in batch.emails]


@given(st.lists(entries(), min_size=1, max_size=3), st.sampled_from(["", ', "emails": [{}]']))
def test_all_at_once_or_one_by_one_it_is_the_same(texts: list[str], more: str) -> None:
    body = f'{{"emails": [{", ".join(texts)}]{more}}}'.encode()
    found = split(body)
    if not isinstance(found, Violation):
        assert [batches.entry(one) for one in found] == one_by_one(body)
    else:
        assert found == one_by_one(body)


def test_an_email_is_all_of_the_request_but_its_own() -> None:
    fields: dict[str, Any] = {name: f"of {name}" for name in Email.__struct_fields__}
    entry = BatchEntry(**fields, stream="bulk", idempotency_key="k")
    assert msgspec.structs.asdict(entry.email()) == fields


@pytest.mark.parametrize("more", ["", ', "stream": "bulk"', ', "stream": "transactional"'])
@pytest.mark.parametrize("key", ["", ', "idempotencyKey": "k"'])
@pytest.mark.parametrize("kind", [SendEmailRequest, BatchEntry])
def test_what_is_of_the_request_alone_is_never_written(
    more: str, key: str, kind: type[SendEmailRequest]
) -> None:
    key = key if kind is BatchEntry else ""
    request = msgspec.json.decode(f"{{{GOOD_START}{more}{key}}}", type=kind)
    written = msgspec.json.decode(msgspec.json.encode(request.email()))
    assert written == {"to": ["a@example.com"], "from": "b@example.com", "subject": "S"}


@pytest.mark.parametrize(
    ("kind", "stream"), [(SendEmailRequest, "transactional"), (BatchEntry, "bulk")]
)
def test_a_default_that_is_another_object_is_not_written_either(
    kind: type[SendEmailRequest], stream: Any
) -> None:
    """msgspec leaves out only the very object."""
    another = "".join([*stream])
    request = kind(to=["a@example.com"], from_="b@example.com", subject="S", stream=another)
    email = Email(to=["a@example.com"], from_="b@example.com", subject="S")
    assert msgspec.json.encode(request.email()) == msgspec.json.encode(email)
    assert fingerprint(request.email()) == fingerprint(email)


@pytest.mark.parametrize("kind", [SendEmailRequest, BatchEntry])
def test_of_an_empty_request_no_key_is_sure(kind: type[SendEmailRequest]) -> None:
    """A default that is not empty must not count: it would hide a key that stands twice."""
    assert keys_of([kind(to=[], from_="", subject="")]) == 0


def test_most_requests_are_their_own_email() -> None:
    for request in (
        SendEmailRequest(to=["a@example.com"], from_="b@example.com", subject="S"),
        BatchEntry(to=["a@example.com"], from_="b@example.com", subject="S"),
    ):
        assert request.email() is request


@given(entries())
def test_a_mail_alone_is_read_at_once_or_with_care_it_is_the_same(text: str) -> None:
    careful = strict_json.read(msgspec.json.Decoder(SendEmailRequest), text.encode())
    assert decode(text.encode()) == careful


@pytest.mark.parametrize(
    ("more", "at_once"),
    [
        ("", True),
        (', "cc": [], "bodyHtml": null, "metadata": {"to": 1}, "template": {}', True),
        (', "attachments": [{"filename": "a", "contentType": "b", "content": ""}]', True),
        (', "stream": "bulk", "inDoubt": "resend", "idempotencyKey": "k"', True),
        (', "stream": "transactional", "inDoubt": "unknown"', True),
        (', "stream": "bulk", "subject": "T"', False),
        (', "inDoubt": "unknown", "subject": "T"', False),
        (r', "bodyText": "https://a: b"', True),
        (r', "bodyHtml": "{\"@context\": \"https://schema.org\"}"', True),
        (r', "metadata": {"a\"": 1, "a\\": 1, "\" :": 1}', True),
        (r', "metadata": {"\\": 1, "\\" : 1}', False),
        (r', "metadata": {"\"": 1, "\"": "\": "}', False),
        (r', "bodyText": "\":"', True),
        (r', "bodyText": ": \":"', False),
        (', "subject": "T"', False),
        (', "subject" : "T"', False),
        (', "tags": {"a": "1", "a": "2"}', False),
        (', "template": {"a": 1}', False),
        (', "cc": 5', False),
    ],
)
def test_good_mail_is_read_at_once(more: str, at_once: bool) -> None:
    found = split(f'{{"emails": [{{{GOOD_START}{more}}}]}}'.encode())
    assert (not isinstance(found, Violation) and isinstance(found[0], BatchEntry)) is at_once


def test_an_attachment_gives_all_its_fields() -> None:
    """Else it would count for more keys than it has, and hide one that stands twice."""
    assert msgspec.structs.fields(SentAttachment)
    assert all(field.required for field in msgspec.structs.fields(SentAttachment))


def test_a_body_of_too_many_parts_or_bytes_is_not_read_at_once() -> None:
    mail = {"to": ["a@example.com"], "from": "b@example.com", "subject": "S"}
    parts = json.dumps({"emails": [mail | {"cc": [""] * 130_000}]}).encode()
    assert isinstance(split(parts), Violation)
    large = json.dumps({"emails": [mail | {"bodyText": "x" * strict_json.AT_ONCE_BYTES}]}).encode()
    found = split(large)
    assert not isinstance(found, Violation)
    assert isinstance(found[0], msgspec.Raw)
    assert batches.is_large(found[0])
    assert isinstance(batches.entry(found[0]), BatchEntry)
