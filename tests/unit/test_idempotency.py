"""An idempotency key means one mail: the same id and the same fingerprint, whoever asks."""

import uuid

import pytest

from mailpipe import ValidationError
from mailpipe.accepting import Arrival
from mailpipe.messages import Attachment, Email, fingerprint, keyed_email_id


def email(**other: object) -> Email:
    given = {"to": ["a@example.com"], "from_": "b@example.com", "subject": "s", "body_text": "t"}
    return Email(**(given | other))  # type: ignore[arg-type]


def test_a_key_gives_one_id_for_each_tenant() -> None:
    first = keyed_email_id("t", "order-1")
    assert first == keyed_email_id("t", "order-1")
    assert len({first, keyed_email_id("u", "order-1"), keyed_email_id("t", "order-2")}) == 3
    parsed = uuid.UUID(first)
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)


def test_the_fingerprint_is_of_what_was_understood() -> None:
    one = email(metadata={"x": 1, "y": 2})
    assert fingerprint(one) == fingerprint(email(metadata={"y": 2, "x": 1}))
    assert fingerprint(one) != fingerprint(email(metadata={"x": 1, "y": 3}))


def test_the_fingerprint_of_a_mail_never_changes() -> None:
    """Records keep it for as long as they live: a repeat after an update is still a repeat."""
    assert fingerprint(email(subject="s \u00e4", metadata={"y": 2, "x": 1})) == (
        "06af66b2cde9952b83f884de71b33e2f8e7c4f222cffc734c74818494c8a96bd"
    )
    full = Email(
        to=["a@example.com"],
        from_="b@example.com",
        subject="s",
        body_html="t",
        cc=["c@example.com"],
        attachments=[Attachment(filename="f", content_type="text/plain", content="YQ==")],
        headers={"X-B": "1", "X-A": "2"},
        tags={"t": "v"},
        send_at="2026-12-01T00:00:00Z",
        in_doubt="unknown",
    )
    assert fingerprint(full) == "bba862b5dae92d09846b0b1b93563b54c15a2c59d1cee1dea12b778dc0666308"


def test_to_say_the_usual_is_to_say_nothing() -> None:
    usual = email(cc=[], headers={}, body_html=None, in_doubt="".join(["re", "send"]))
    assert fingerprint(usual) == fingerprint(email())


def test_a_keyed_message_carries_both() -> None:
    message = Arrival("t").accepted(email(), "bulk", idempotency_key="k 1")
    assert message.email_id == keyed_email_id("t", "k 1")
    assert message.fingerprint == fingerprint(email())


@pytest.mark.parametrize("key", ["", " ", " a", "a ", "a\n", "a\x00b", "ä", "x" * 257])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Arrival("t").accepted(email(), "bulk", idempotency_key=key)
    assert refused.value.violation.constraint == "idempotency_key_syntax"
