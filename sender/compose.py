"""From a queue message to SES's request. Pure.

SES composes the mail itself (`Simple`, attachments included) wherever its reference says how. It
does not say what becomes of a file name outside ASCII: such mail we compose (`Raw`).
"""

from base64 import b64decode
from functools import lru_cache

from mailpipe.addresses import Address, parse
from mailpipe.aws import ses_operations as aws
from mailpipe.messages import Email, EmailMessage
from mailpipe.resources import CONFIGURATION_SET
from sender.mime import Mail, composed


def request_for(message: EmailMessage, *, attempt: int, without: set[int]) -> aws.SendEmail:
    """SES's request for this attempt; `without` holds positions of suppressed recipients.

    Addresses go in SES's form: domains in Punycode, names quoted or encoded. The tags come back in
    every event; `attempt` says which attempt an event proves.
    """
    email = message.email
    to = _kept(email.to, without)
    cc: list[Address] = []
    bcc: list[Address] = []
    if email.cc or email.bcc:
        cc = _kept(email.cc, without, first=len(email.to))
        bcc = _kept(email.bcc, without, first=len(email.to) + len(email.cc))
    tags = {
        **email.tags,
        "email_id": message.email_id,
        "attempt": str(attempt),
        "tenant": message.tenant,
        "stream": message.stream,
    }
    request = aws.SendEmail(
        from_email_address=_own_header(email.from_),
        destination=aws.Destination(
            to_addresses=[one.header for one in to],
            cc_addresses=[one.header for one in cc],
            bcc_addresses=[one.header for one in bcc],
        ),
        content=aws.EmailContent(),
        configuration_set_name=CONFIGURATION_SET,
        email_tags=[aws.Tag(name=name, value=value) for name, value in tags.items()],
    )
    headers = {**email.headers, "X-Email-Id": message.email_id}
    if not email.attachments or all(one.filename.isascii() for one in email.attachments):
        request.content.simple = _simple(email, headers)
        if email.reply_to:
            request.reply_to_addresses = [_own_header(text) for text in email.reply_to]
    else:
        reply_to = [parse(text) for text in email.reply_to]
        data = composed(Mail(parse(email.from_), to, cc, reply_to, email, headers))
        request.content.raw = aws.Raw(data=data)
    return request


def _kept(texts: list[str], without: set[int], *, first: int = 0) -> list[Address]:
    """These recipients, but those at positions `without`; the first of them is at `first`."""
    if not without:
        return [parse(text) for text in texts]
    return [parse(text) for index, text in enumerate(texts, first) if index not in without]


@lru_cache(maxsize=1024)
def _own_header(text: str) -> str:
    """Of an address of the tenant's own, which most of its mails have."""
    return parse(text).header


def _simple(email: Email, headers: dict[str, str]) -> aws.Simple:
    return aws.Simple(
        subject=aws.Content(data=email.subject),
        body=aws.Body(text=_content(email.body_text), html=_content(email.body_html)),
        headers=[aws.Header(name=name, value=value) for name, value in headers.items()],
        attachments=[
            aws.Attachment(
                file_name=one.filename,
                content_type=one.content_type,
                raw_content=b64decode(one.content),
            )
            for one in email.attachments
        ],
    )


def _content(text: str | None) -> aws.Content | None:
    return aws.Content(data=text) if text else None
