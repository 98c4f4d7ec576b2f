"""What a processor needs of AWS, answered at once: a queue that always holds as many events of SES
as its argument says, the record of every mail, two endpoints, tables that take every write.

Of a hundred mails, each to one recipient, 92 are delivered, 5 bounce, 3 are complained about.
"""

import json
import sys
import time
from typing import Any

from loadtest.transport.endpoints import TENANT, endpoints_at
from loadtest.transport.instant import Reply
from loadtest.transport.queues import Backlog, answered, item, stamp, written

SENDER = "Shop <noreply@shop.example>"


def event(number: int) -> str:
    """Of two, the first is the mail's Send, the second says what became of it."""
    mail, later = divmod(number, 2)
    at = stamp()
    kind, facts = _outcome(mail, at) if later else ("Send", {})
    said = {"eventType": kind, "mail": _mail(mail, at), kind.lower(): facts}
    return json.dumps(said, separators=(",", ":"))


def _outcome(mail: int, at: str) -> tuple[str, dict[str, Any]]:
    who = [{"emailAddress": _recipient(mail)}]
    if mail % 100 < 5:
        return "Bounce", {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {**who[0], "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
            ],
            "timestamp": at,
            "feedbackId": _message_id(mail),
            "reportingMTA": "dns; a8-31.smtp-out.amazonses.com",
        }
    if mail % 100 < 8:
        return "Complaint", {
            "complainedRecipients": who,
            "timestamp": at,
            "feedbackId": _message_id(mail),
            "complaintFeedbackType": "abuse",
        }
    return "Delivery", {
        "timestamp": at,
        "processingTimeMillis": 2489,
        "recipients": [_recipient(mail)],
        "smtpResponse": "250 2.0.0 OK 1763633732 x5-20020a mx.example.net",
        "remoteMtaIp": "192.0.2.25",
        "reportingMTA": "a8-31.smtp-out.amazonses.com",
    }


def _mail(mail: int, at: str) -> dict[str, Any]:
    headers = {
        "From": SENDER,
        "To": _recipient(mail),
        "Subject": _subject(mail),
        "X-Email-Id": _email_id(mail),
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="----=_Part_1_2.3"',
    }
    tags = {
        "ses:operation": "SendEmail",
        "ses:configuration-set": "enterprise-email",
        "ses:source-ip": "203.0.113.7",
        "ses:from-domain": "shop.example",
        "ses:caller-identity": "sender",
        "email_id": _email_id(mail),
        "attempt": "1",
        "tenant": TENANT,
        "stream": "bulk",
    }
    return {
        "timestamp": at,
        "source": SENDER,
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/shop.example",
        "sendingAccountId": "123456789012",
        "messageId": _message_id(mail),
        "destination": [_recipient(mail)],
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "commonHeaders": {
            "from": [SENDER],
            "to": [_recipient(mail)],
            "messageId": _message_id(mail),
            "subject": _subject(mail),
        },
        "tags": {name: [value] for name, value in tags.items()},
    }


def _email_id(mail: int) -> str:
    return f"019a0000-0000-7000-8000-{mail:012d}"


def _message_id(mail: int) -> str:
    return f"0100019a2f6b3c4d-1a2b3c4d-5e6f-4a8b-9c0d-{mail:012d}-000000"


def _recipient(mail: int) -> str:
    return f"customer-{mail}@shop-{mail % 50}.example"


def _subject(mail: int) -> str:
    return f"Your order {mail} is on its way"


def _record(email_id: str) -> dict[str, Any]:
    """Of a mail that a sender has noted as sent."""
    mail, now_ms = int(email_id[-12:]), int(time.time() * 1000)
    return item(
        emailId=email_id,
        tenant=TENANT,
        stream="bulk",
        status="sent",
        rank=20,
        attempt=1,
        leaseUntil=0,
        token="0123456789abcdef",  # noqa: S106 - of a claim
        version=0,
        ids={"a1": _message_id(mail)},
        ranks={"r0": 0},
        createdAt=now_ms,
        updatedAt=now_ms,
        sentAt=now_ms,
        **{"from": SENDER},
        to=[_recipient(mail)],
        cc=[],
        bcc=[],
        subject=_subject(mail),
        metadata=f'{{"order":"{mail}"}}',
        tags='{"campaign":"orders"}',
        dayKey=f"{TENANT}#2026-11-24#3",
        open="open#3",
        fingerprint="-",
        recipientKey=f"{TENANT}#{_recipient(mail)}",
    )


def _read(request: dict[str, Any]) -> Reply:
    """Records, and tenants as they are without an item."""
    found = {
        table: [
            _record(key["emailId"]["S"])
            for key in (wanted["Keys"] if table.endswith("EmailTracking") else ())
        ]
        for table, wanted in request["RequestItems"].items()
    }
    return answered({"Responses": found, "UnprocessedKeys": {}})


def main() -> None:
    """Serve a queue as deep as the argument says."""
    backlog = Backlog("ses-events", int(sys.argv[1]), event)
    endpoints = endpoints_at("http://127.0.0.1")
    backlog.served(BatchExecuteStatement=written, BatchGetItem=_read, Query=lambda _: endpoints)


if __name__ == "__main__":
    main()
