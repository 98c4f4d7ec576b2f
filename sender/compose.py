"""From a queue message to SES's request. Pure.

SES composes the mail itself (`Simple`, attachments included) wherever its reference says how. It
does not say what becomes of a file name outside ASCII: such mail we compose (`Raw`).
"""

from base64 import b64decode

from mailpipe.addresses import parse
from mailpipe.aws import ses_operations as aws
from mailpipe.messages import Email, EmailMessage
from mailpipe.resources import CONFIGURATION_SET
from sender.mime import Mail, composed


def request_for(message: EmailMessage, *, attempt: int, without: set[int]) -> aws.SendEmail:
    """SES's request for this attempt; `without` holds positions of suppressed recipients.

    Addresses go in SES's form: domains in Punycode, names quoted or encoded. The tags come back in
    every event; `attempt` says which attempt an event proves.
    """
    email, position = message.email, 0
    groups = list[list[str]]()
    for texts in (email.to, email.cc, email.bcc):
        kept = [text for index, text in enumerate(texts, position) if index not in without]
        groups.append([parse(text).header for text in kept])
        position += len(texts)
    own_tags = {
        "email_id": message.email_id,
        "attempt": str(attempt),
        "tenant": message.tenant,
        "stream": message.stream,
    }
    request = aws.SendEmail(
        from_email_address=parse(email.from_).header,
        destination=aws.Destination(
            to_addresses=groups[0], cc_addresses=groups[1], bcc_addresses=groups[2]
        ),
        reply_to_addresses=[parse(text).header for text in email.reply_to],
        content=aws.EmailContent(),
        configuration_set_name=CONFIGURATION_SET,
        email_tags=[
            aws.Tag(name=name, value=value) for name, value in {**email.tags, **own_tags}.items()
        ],
    )
    headers = {**email.headers, "X-Email-Id": message.email_id}
    if all(one.filename.isascii() for one in email.attachments):
        request.content.simple = _simple(email, headers)
    else:
        request.content.raw = aws.Raw(data=_raw(email, request, headers))
        request.reply_to_addresses = []
    return request


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


def _raw(email: Email, request: aws.SendEmail, headers: dict[str, str]) -> bytes:
    return composed(
        Mail(
            from_=request.from_email_address,
            to=request.destination.to_addresses,
            cc=request.destination.cc_addresses,
            reply_to=request.reply_to_addresses,
            email=email,
            headers=headers,
        )
    )
