"""The JSON that SES publishes, as far as we read it.

Unknown fields are ignored and most are optional: AWS adds fields and leaves some out (SES Developer
Guide, "Contents of event data that Amazon SES publishes to Amazon SNS").
"""

import msgspec
from msgspec import Struct, field


class NamedValue(Struct):
    """A header of the mail."""

    name: str
    value: str


class Tags(Struct, frozen=True):
    """Ours among the tags of a mail, each with one value."""

    email_id: list[str] = []
    tenant: list[str] = []
    attempt: list[str] = []


class Mail(Struct, rename="camel"):
    """The mail that an event is about. `message_id` is what SendEmail answered. The headers are
    read only where there are no tags.
    """

    message_id: str
    timestamp: str
    destination: list[str] = []
    headers: msgspec.Raw = msgspec.Raw(b"[]")
    tags: Tags = Tags()


class Recipient(Struct, rename="camel"):
    """A recipient that an event is about."""

    email_address: str
    status: str | None = None
    diagnostic_code: str | None = None


class Delivery(Struct, rename="camel"):
    """The receiving server accepted."""

    timestamp: str
    recipients: list[str] = []
    processing_time_millis: int | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = field(name="reportingMTA", default=None)


class Bounce(Struct, rename="camel"):
    """The mail came back."""

    timestamp: str
    bounce_type: str
    bounce_sub_type: str
    bounced_recipients: list[Recipient] = []
    feedback_id: str | None = None
    reporting_mta: str | None = field(name="reportingMTA", default=None)


class Complaint(Struct, rename="camel"):
    """A recipient called it spam (or, with the type `not-spam`, the contrary)."""

    timestamp: str
    complained_recipients: list[Recipient] = []
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None


class Reject(Struct):
    """SES found a virus."""

    reason: str | None = None


class Failure(Struct, rename="camel"):
    """A template could not be rendered."""

    template_name: str | None = None
    error_message: str | None = None


class DeliveryDelay(Struct, rename="camel"):
    """SES keeps trying."""

    timestamp: str
    delay_type: str | None = None
    expiration_time: str | None = None
    delayed_recipients: list[Recipient] = []


class Message(Struct, rename="camel"):
    """A message of the queue of events, read once whatever it is.

    One notification of SES has `mail`; event publishing says `event_type`, identity feedback
    `notification_type`. What SNS puts around it when raw delivery is off has `sns_type` and
    `message`, our own event has `type`.
    """

    mail: Mail | None = None
    event_type: str | None = None
    notification_type: str | None = None
    delivery: Delivery | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    reject: Reject | None = None
    failure: Failure | None = None
    delivery_delay: DeliveryDelay | None = None
    type: str | None = None
    sns_type: str | None = field(name="Type", default=None)
    message: str | None = field(name="Message", default=None)


headers_decoder = msgspec.json.Decoder(list[NamedValue])
message_decoder = msgspec.json.Decoder(Message)
