"""The SES v2 operations that we use (SES API v2 reference)."""

from mailpipe.aws.operations import Answer, Discreet, Operation, Request


class Destination(Request):
    """Bare addresses, domains in Punycode; at most 50 together."""

    to_addresses: list[str]
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []


class Content(Discreet, rename="pascal", kw_only=True):
    """Text in UTF-8."""

    data: str
    charset: str = "UTF-8"


class Body(Request):
    """Text, HTML, or both."""

    text: Content | None = None
    html: Content | None = None


class Header(Request):
    """A custom header."""

    name: str
    value: str


class Attachment(Request):
    """A file; its bytes go over the wire as base64."""

    file_name: str
    content_type: str
    raw_content: bytes
    content_disposition: str = "ATTACHMENT"
    content_transfer_encoding: str = "BASE64"


class Simple(Request):
    """A message that SES composes."""

    subject: Content
    body: Body
    headers: list[Header] = []
    attachments: list[Attachment] = []


class Raw(Request):
    """A message that we composed; its bytes go over the wire as base64."""

    data: bytes


class EmailContent(Request):
    """Exactly one form."""

    simple: Simple | None = None
    raw: Raw | None = None


class Tag(Request):
    """An `EmailTags` entry; SES repeats it in every event."""

    name: str
    value: str


class SendEmail(Request):
    """One call to SES. There is no idempotency token: never repeat one blindly."""

    from_email_address: str
    destination: Destination
    content: EmailContent
    configuration_set_name: str
    email_tags: list[Tag]
    reply_to_addresses: list[str] = []


class SendEmailAnswer(Answer):
    """SES's id of the message."""

    message_id: str


class GetAccount(Request):
    """No parameters; one call a second per account."""


class SendQuota(Answer):
    """Recipients per rolling 24 h (-1: unlimited), per second, and counted so far."""

    max24_hour_send: float = 0.0
    max_send_rate: float = 0.0
    sent_last24_hours: float = 0.0


class AccountAnswer(Answer):
    """What SES allows this account."""

    send_quota: SendQuota
    sending_enabled: bool = True
    enforcement_status: str = "HEALTHY"


SEND_EMAIL = Operation[SendEmail, SendEmailAnswer](
    "sesv2", "SendEmail", SendEmailAnswer, path="/v2/email/outbound-emails"
)
GET_ACCOUNT = Operation[GetAccount, AccountAnswer](
    "sesv2", "GetAccount", AccountAnswer, method="GET", path="/v2/email/account"
)
