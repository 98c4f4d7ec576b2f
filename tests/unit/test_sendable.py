"""How a mail is sent, and how it ends without that."""

import msgspec

from mailpipe.messages import Email, EmailMessage
from mailpipe.status import FAILED, REJECTED, SUPPRESSED, UNKNOWN
from mailpipe.times import times_of
from mailpipe.timing import iso
from sender.compose import request_for
from sender.verdicts import after_doubt, broken, expired

NOW = 1_795_514_400_000


def message(**changes: object) -> EmailMessage:
    """A good message, its e-mail changed."""
    email = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello")
    return EmailMessage(
        email_id="e1",
        tenant="default",
        stream="transactional",
        queued_at=iso(NOW),
        email=msgspec.structs.replace(email, **changes),
    )


def test_broken_and_old_mail_is_not_sendable() -> None:
    times = times_of(message())
    assert broken(message(), []) is None
    assert expired(times, now_ms=NOW, expire_after_s=60) is None
    ending = broken(message(subject=""), [])
    assert ending is not None
    assert ending[0] is REJECTED
    old = expired(times, now_ms=NOW + 61_000, expire_after_s=60)
    assert old is not None
    assert old[0].status == "expired"


def test_after_a_doubt_no_end_reads_as_a_no() -> None:
    assert after_doubt((FAILED, "x"), doubted=False) == (FAILED, "x")
    standing, reason = after_doubt((SUPPRESSED, "x"), doubted=True)
    assert standing is UNKNOWN
    assert "suppressed" in reason


def test_the_request_holds_what_was_written_in_the_form_that_ses_takes() -> None:
    request = request_for(
        message(
            to=["Jörg <x@BÜCHER.example>", "y@example.com"],
            cc=["z@example.com"],
            from_="Doe, Jane <b@example.com>",
            reply_to=["r@example.com"],
            body_html="<p>ü</p>",
            headers={"X-A": "1"},
            tags={"campaign": "c"},
        ),
        attempt=2,
        without={1},
    )
    sent = msgspec.to_builtins(request)
    assert sent["FromEmailAddress"] == '"Doe, Jane" <b@example.com>'
    assert sent["Destination"] == {
        "ToAddresses": ["=?utf-8?b?SsO2cmc=?= <x@xn--bcher-kva.example>"],
        "CcAddresses": ["z@example.com"],
    }
    assert sent["ReplyToAddresses"] == ["r@example.com"]
    simple = sent["Content"]["Simple"]
    assert simple["Body"]["Html"] == {"Data": "<p>ü</p>", "Charset": "UTF-8"}
    assert simple["Headers"] == [
        {"Name": "X-A", "Value": "1"},
        {"Name": "X-Email-Id", "Value": "e1"},
    ]
    tags = {tag["Name"]: tag["Value"] for tag in sent["EmailTags"]}
    assert tags == {
        "campaign": "c",
        "email_id": "e1",
        "attempt": "2",
        "tenant": "default",
        "stream": "transactional",
    }
