"""What a record keeps of a message, and what it is born with."""

from mailpipe import records
from mailpipe.addresses import MAX_ADDRESS_CHARS
from mailpipe.messages import Email, EmailMessage
from mailpipe.metadata import MAX_METADATA_BYTES
from mailpipe.rules import MAX_RECIPIENTS, MAX_SUBJECT_CHARS, MAX_TAGS
from mailpipe.times import DAY_MS

LONG = "x" * 50_000


def message(**changes: object) -> EmailMessage:
    """A message of this e-mail, which nobody has checked."""
    good: dict[str, object] = {"to": ["a@example.com"], "from_": "b@example.com", "subject": "Hi"}
    return EmailMessage(
        email_id="e1",
        tenant="t",
        stream="bulk",
        queued_at="2026-11-24T10:00:00.000Z",
        email=Email(**(good | changes)),  # type: ignore[arg-type]
    )


def test_of_good_mail_all_is_kept() -> None:
    one = message(
        cc=["c@example.com"], metadata={"a": "x" * (MAX_METADATA_BYTES - 8)}, tags={"a": "b"}
    )
    kept = records.fields_of(one)
    assert kept == records.fields_of_any(one)
    assert (kept.cc, kept.metadata, kept.tags) == (one.email.cc, one.email.metadata, {"a": "b"})


def test_what_is_beyond_a_limit_is_cut() -> None:
    """An item takes 400 KB, and says why the mail was not sent."""
    many = [f"{n}@example.com" for n in range(1000)]
    kept = records.fields_of_any(
        message(
            **{name: [LONG, *many] for name in ("to", "cc", "bcc")},
            from_=LONG,
            subject=LONG,
            metadata={"a": LONG},
            tags={str(n): "" for n in range(MAX_TAGS + 1)},
        )
    )
    for addresses in (kept.to, kept.cc, kept.bcc):
        assert addresses == ["x" * MAX_ADDRESS_CHARS, *many][:MAX_RECIPIENTS]
    assert (len(kept.from_), len(kept.subject)) == (MAX_ADDRESS_CHARS, MAX_SUBJECT_CHARS)
    assert (kept.metadata, kept.tags) == ({}, {})


def test_an_empty_fingerprint_is_none() -> None:
    """Claims compare with the mark of none; a program in another language may write "" for it."""
    born = records.born("e1", "t", records.fields_of(message()), fingerprint="")
    assert (records.USUAL | born)["fingerprint"] == records.NO_FINGERPRINT


def test_each_further_recipient_has_a_stub_that_outlives_the_record() -> None:
    def stubs(*to: str) -> list[records.Attributes]:
        fields = records.fields_of(message(to=[*to]))
        return records.stubs("e1", "t", fields, now_ms=fields.created_at + DAY_MS, retention_days=7)

    assert stubs("a@example.com") == []
    (stub,) = stubs("a@example.com", "B@example.com", "A@EXAMPLE.com")
    fields = records.fields_of(message())
    assert stub == {
        "emailId": "e1#1",
        "recipientKey": "t#b@example.com",
        "createdAt": fields.created_at,
        "ttl": (fields.created_at + (1 + 7 + records.STUBS_KEPT_LONGER_DAYS) * DAY_MS) // 1000,
    }
    assert len(stubs("a@example.com", "b@example.com")) == 1


def test_every_recipient_has_its_rank() -> None:
    for copies, ranks in (([], {"r0": 0}), (["c@example.com"], {"r0": 0, "r1": 0})):
        born = records.born("e1", "t", records.fields_of(message(bcc=copies)))
        record = records.USUAL | born
        assert (record["to"], record["cc"], record["bcc"]) == (["a@example.com"], [], copies)
        assert record["ranks"] == ranks
    nobody = records.born("e1", "t", records.fields_of(message(to=[])))
    assert (records.USUAL | nobody)["ranks"] == {}
