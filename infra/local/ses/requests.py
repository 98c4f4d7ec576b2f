"""SendEmail's request as it comes over the wire. Pure.

SES API v2 reference, "SendEmail" and the data types it names. Every member is optional here, and
null is the same as absent; what must be there is said by `sending`, in SES's words. A member that
the reference does not have is refused, where SES would pass over it: a typing error in a client
must not look like a success.
"""

from typing import Any

import msgspec
from msgspec import Struct


class Part(Struct, rename="pascal", forbid_unknown_fields=True):
    """A subject or a body ("Content" in the reference)."""

    data: str | None = None
    charset: str | None = None


class Body(Struct, rename="pascal", forbid_unknown_fields=True):
    """Text, HTML or both."""

    text: Part | None = None
    html: Part | None = None


class Pair(Struct, rename="pascal", forbid_unknown_fields=True):
    """A header or a tag."""

    name: str | None = None
    value: str | None = None


class Attachment(Struct, rename="pascal", forbid_unknown_fields=True):
    """A file; `raw_content` is base64 on the wire."""

    raw_content: bytes | None = None
    file_name: str | None = None
    content_disposition: str | None = None
    content_description: str | None = None
    content_id: str | None = None
    content_transfer_encoding: str | None = None
    content_type: str | None = None


class Simple(Struct, rename="pascal", forbid_unknown_fields=True):
    """A message that SES composes."""

    subject: Part | None = None
    body: Body | None = None
    headers: list[Pair] | None = None
    attachments: list[Attachment] | None = None


class Raw(Struct, rename="pascal", forbid_unknown_fields=True):
    """A message that the caller composed; base64 on the wire."""

    data: bytes | None = None


class Content(Struct, rename="pascal", forbid_unknown_fields=True):
    """Exactly one of the three."""

    simple: Simple | None = None
    raw: Raw | None = None
    template: Any = None


class Destination(Struct, rename="pascal", forbid_unknown_fields=True):
    """Whom it goes to."""

    to_addresses: list[str] | None = None
    cc_addresses: list[str] | None = None
    bcc_addresses: list[str] | None = None


class SendEmail(Struct, rename="pascal", forbid_unknown_fields=True):
    """The whole request."""

    content: Content | None = None
    from_email_address: str | None = None
    destination: Destination | None = None
    reply_to_addresses: list[str] | None = None
    email_tags: list[Pair] | None = None
    configuration_set_name: str | None = None
    from_email_address_identity_arn: Any = None
    feedback_forwarding_email_address: Any = None
    feedback_forwarding_email_address_identity_arn: Any = None
    endpoint_id: Any = None
    tenant_name: Any = None
    list_management_options: Any = None
    configuration_overrides: Any = None

    def not_done(self) -> str | None:
        """A member that SES has and this simulator does not, if it is given; each would change
        what happens to the mail.
        """
        if self.from_email_address_identity_arn is not None:
            return "FromEmailAddressIdentityArn"
        if self.feedback_forwarding_email_address is not None:
            return "FeedbackForwardingEmailAddress"
        if self.feedback_forwarding_email_address_identity_arn is not None:
            return "FeedbackForwardingEmailAddressIdentityArn"
        if self.endpoint_id is not None:
            return "EndpointId"
        if self.tenant_name is not None:
            return "TenantName"
        if self.list_management_options is not None:
            return "ListManagementOptions"
        return None if self.configuration_overrides is None else "ConfigurationOverrides"

    def given_recipients(self) -> list[str]:
        """To, cc and bcc as they were given."""
        to = self.destination
        if to is None:
            return []
        return [*(to.to_addresses or ()), *(to.cc_addresses or ()), *(to.bcc_addresses or ())]


decoder = msgspec.json.Decoder(SendEmail)
