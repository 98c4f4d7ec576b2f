"""The messages that travel are a public contract: frozen examples decode, and encode the same."""

import json
import uuid
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.messages import (
    Email,
    EmailMessage,
    WebhookMessage,
    email_decoder,
    encode,
    new_email_id,
    new_email_ids,
    own_event_decoder,
    webhook_decoder,
)
from mailpipe.schema import schemas

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "data" / "contract"
DECODERS = {
    "email.v1": email_decoder,
    "event.v1": own_event_decoder,
    "webhook.v1": webhook_decoder,
}


@pytest.mark.parametrize("name", ["event.v1", "webhook.v1"])
def test_frozen_example_survives_decode_and_encode(name: str) -> None:
    frozen = (EXAMPLES / f"{name}.json").read_text()
    assert json.loads(encode(DECODERS[name].decode(frozen))) == json.loads(frozen)


def test_an_email_is_written_without_what_is_usual_and_read_the_same() -> None:
    frozen = (EXAMPLES / "email.v1.json").read_text()
    decoded, short = email_decoder.decode(frozen), json.loads(frozen)
    for usual in ("recorded", "version", "fingerprint", "body"):
        del short[usual]
    for usual in ("cc", "bcc", "replyTo", "attachments", "template", "sendAt", "expiresAt"):
        del short["email"][usual]
    del short["email"]["inDoubt"]
    encoded = encode(decoded)
    assert json.loads(encoded) == short
    assert email_decoder.decode(encoded) == decoded


@pytest.mark.parametrize("name", DECODERS)
def test_a_field_of_a_newer_version_is_tolerated(name: str) -> None:
    newer = json.loads((EXAMPLES / f"{name}.json").read_text()) | {"addedLater": 1}
    DECODERS[name].decode(json.dumps(newer))


@pytest.mark.parametrize("missing", ["emailId", "tenant", "stream", "queuedAt", "email"])
def test_a_message_without_a_required_field_is_refused(missing: str) -> None:
    broken = json.loads((EXAMPLES / "email.v1.json").read_text())
    del broken[missing]
    with pytest.raises(msgspec.ValidationError):
        email_decoder.decode(json.dumps(broken))


def test_a_newer_version_is_refused_not_misread() -> None:
    newer = json.loads((EXAMPLES / "email.v1.json").read_text()) | {"type": "email.v2"}
    with pytest.raises(msgspec.ValidationError):
        email_decoder.decode(json.dumps(newer))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_encoding_is_ascii_and_loses_nothing(text: str) -> None:
    message = EmailMessage(
        email_id="e",
        tenant="t",
        stream="bulk",
        queued_at="2026-11-24T10:00:00.000Z",
        email=Email(to=["a@example.com"], from_="b@example.com", subject=text, body_text=text),
    )
    encoded = encode(message)
    assert encoded.isascii()
    assert email_decoder.decode(encoded) == message
    assert json.loads(encoded)["email"]["subject"] == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\\xe9 \u00e9", r"\\xe9 \u00e9"),
        ("\\\u00e9\\U0001f600", r"\\\u00e9\\U0001f600"),
        ("\U0001f600\uffff\x7f\U0010ffff", "\\ud83d\\ude00\\uffff\x7f\\udbff\\udfff"),
        ("\u00ff\n", r"\u00ff\n"),
    ],
)
def test_what_is_escaped_looks_like_json_and_nothing_else_does(text: str, escaped: str) -> None:
    whole = msgspec.Raw(b'{"a" :\n\t1}')  # not ours to write anew
    webhook = WebhookMessage(
        webhook_id=text, tenant="t", endpoint="e", event_type="email.sent", event=whole
    )
    assert f'"webhookId":"{escaped}"' in encode(webhook)
    assert webhook_decoder.decode(encode(webhook)) == webhook


def test_ids_are_uuid7_and_sort_by_time() -> None:
    ids = [*(new_email_id() for _ in range(200)), *new_email_ids(100), new_email_id()]
    assert len(set(ids)) == 301
    parsed = [uuid.UUID(one) for one in ids]
    assert all((one.version, one.variant) == (7, uuid.RFC_4122) for one in parsed)
    assert [str(one) for one in parsed] == ids
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    noise = [one[15:18] + one[20:23] + one[24:] for one in ids]
    assert all(len({one[at] for one in noise}) == 16 for at in range(len(noise[0])))
    assert {one[19] for one in ids} == set("89ab")


@pytest.mark.parametrize("name", DECODERS)
def test_the_published_schema_is_that_of_the_structs_and_of_the_example(name: str) -> None:
    published = (ROOT / "docs" / "schema" / f"{name}.json").read_text()
    assert published == schemas()[name], "run: python -m mailpipe.schema docs/schema"
    judge = jsonschema_rs.validator_for(json.loads(published))
    example = json.loads((EXAMPLES / f"{name}.json").read_text())
    judge.validate(example)
    assert judge.is_valid(example | {"addedLater": 1})
    assert not judge.is_valid(example | {"type": "email.v9"})
    assert not judge.is_valid(example | {"tenant": 5})
