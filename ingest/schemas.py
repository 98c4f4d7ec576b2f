"""The bodies of the API besides e-mails: what clients send, and every answer. Pure.

`GET /openapi.json` is made from these structs, so their docstrings are the API's documentation.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mailpipe.messages import MetadataValue

Scope = Literal["all", "bulk"]

EmailId = Annotated[str, Meta(description="Names one e-mail for ever", examples=["01a20cca-95f1"])]
Time = Annotated[str, Meta(description="RFC 3339 in UTC", examples=["2026-11-24T10:00:00.000Z"])]


class _Answer(Struct, rename="camel"):
    pass


class _Request(Struct, rename="camel", forbid_unknown_fields=True):
    pass


class Details(_Answer, kw_only=True):
    """Which field breaks which rule."""

    field: str
    constraint: str


class ErrorAnswer(_Answer, kw_only=True):
    """Every refusal has this shape, but for HTTP that cannot be parsed."""

    success: Literal[False] = False
    error: str
    message: str
    details: Details | UnsetType = UNSET
    retry_after: Annotated[int, Meta(description="Seconds")] | UnsetType = UNSET


class Accepted(_Answer, kw_only=True):
    """The e-mail is durable and will be sent."""

    success: Literal[True] = True
    email_id: EmailId
    status: str = "pending"


class Sent(_Answer, kw_only=True):
    """SES has accepted the e-mail."""

    success: Literal[True] = True
    email_id: EmailId
    message_id: Annotated[str, Meta(description="SES's id of the e-mail")]
    status: str
    sent_at: Time


class Cancelled(_Answer, kw_only=True):
    """The e-mail will not be sent."""

    success: Literal[True] = True
    email_id: EmailId
    status: Literal["cancelled"] = "cancelled"


class Reschedule(_Request, kw_only=True):
    """When the e-mail is to go."""

    send_at: Annotated[
        str,
        Meta(
            description="RFC 3339 with its zone; a time that is past means at once",
            examples=["2026-11-24T09:00:00+01:00"],
            extra_json_schema={"format": "date-time"},
        ),
    ]


class Rescheduled(_Answer, kw_only=True):
    """The e-mail goes at `sendAt`, not before."""

    success: Literal[True] = True
    email_id: EmailId
    status: str
    send_at: Time


class BatchResult(_Answer, kw_only=True):
    """What became of one entry: `emailId` and `status`, or the rest."""

    success: bool
    email_id: EmailId | UnsetType = UNSET
    status: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    details: Details | UnsetType = UNSET
    retry_after: Annotated[int, Meta(description="Seconds")] | UnsetType = UNSET


class BatchAnswer(_Answer, kw_only=True):
    """What became of each entry, in the order of the request."""

    success: Annotated[bool, Meta(description="Whether all entries were accepted")]
    accepted: int
    refused: int
    results: list[BatchResult]


class TimelineEvent(_Answer, kw_only=True):
    """Something that happened to the e-mail."""

    type: str
    timestamp: str
    details: dict[str, Any]


class Summary(_Answer, kw_only=True):
    """An e-mail and where it stands."""

    email_id: EmailId
    recipient: Annotated[str | None, Meta(description="The first recipient")]
    subject: str
    stream: str
    status: str
    message_id: str | None
    created_at: Time
    sent_at: str | None
    send_at: Annotated[str | None, Meta(description="When it goes, if it is for later")]
    expires_at: Annotated[str | None, Meta(description="It is not sent later")]
    last_updated: Time
    reason: Annotated[str | None, Meta(description="Why it ended without being sent")]
    possible_duplicate: Annotated[
        bool, Meta(description="SES's answer to a send was lost, and the mail was sent again")
    ]
    metadata: dict[str, MetadataValue]


class StatusAnswer(Summary, kw_only=True):
    """An e-mail, where it stands, and what has happened to it."""

    events: list[TimelineEvent]


class EmailsPage(_Answer, kw_only=True):
    """E-mails, the newest first. A page may hold fewer than `limit` and yet have a next one."""

    emails: list[Summary]
    next_cursor: Annotated[
        str | None, Meta(description="Give it as `cursor` for the next page; null at the end")
    ]


class AddSuppression(_Request, kw_only=True):
    """An address that must not get mail."""

    email: str
    scope: Annotated[
        Scope, Meta(description="`bulk`: mail of the stream transactional is still sent")
    ] = "all"


class Suppressed(_Answer, kw_only=True):
    """An address that gets no mail."""

    email: Annotated[str | None, Meta(description="null once it was erased")]
    reason: str
    scope: str
    added_at: Time
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    expires_at: str | None = None


class SuppressedAnswer(_Answer, kw_only=True):
    """The address is on the list."""

    success: Literal[True] = True
    suppressed: Suppressed


class SuppressionPage(_Answer, kw_only=True):
    """Suppressed addresses, in no order that means anything."""

    suppressed: list[Suppressed]
    next_cursor: str | None


class Removed(_Answer, kw_only=True):
    """It is gone."""

    success: Literal[True] = True


class AddWebhook(_Request, kw_only=True):
    """An endpoint for events."""

    url: Annotated[
        str,
        Meta(
            description="https, port 443 or 8443, a host of the public Internet",
            examples=["https://example.com/hooks/mail"],
        ),
    ]
    types: Annotated[
        list[str], Meta(description="Empty: all but `email.sent`", examples=[["email.bounced"]])
    ] = []


class Webhook(_Answer, kw_only=True):
    """An endpoint that gets events."""

    id: Annotated[str, Meta(examples=["ep_5f1d7c0a9b3e2468"])]
    url: str
    types: list[str]
    enabled: bool


class CreatedWebhook(Webhook, kw_only=True):
    """The new endpoint. The secret is shown this once."""

    secret: Annotated[str, Meta(description="Signs what is posted (Standard Webhooks)")]


class WebhookList(_Answer, kw_only=True):
    """All endpoints."""

    webhooks: list[Webhook]


class Health(_Answer, kw_only=True):
    """The process answers."""

    status: Literal["ok"] = "ok"
