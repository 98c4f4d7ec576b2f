"""Whether a message on the queue may speak for the tenant that it names. Pure.

Whoever may send to the queue can write any tenant into a message. SQS says who has sent it: the
unique id of an IAM user (`AIDA…`), or that of a role and the session's name (`AROA…:session`)
(SQS API reference, "ReceiveMessage", SenderId; IAM User Guide, "IAM identifiers").
"""

from collections.abc import Collection
from typing import NamedTuple

from mailpipe.tenants import Tenant


class Distrust(NamedTuple):
    """Why a message is quarantined: `kind` for the metric, `reason` for who looks at it."""

    kind: str
    reason: str


def principal(sender_id: str) -> str:
    """The unique id of the user or role, without the session."""
    return sender_id.partition(":")[0]


def judge(
    tenant: Tenant | None, sender_id: str | None, *, trusted: Collection[str] | None
) -> Tenant | Distrust:
    """The tenant that the message speaks for, or why it must not.

    `trusted` are the principals that may speak for every tenant (the REST door, the senders); None:
    who has sent it is not looked at.
    """
    if tenant is None:
        return Distrust("unknown_tenant", "tenant: there is no such tenant")
    if not tenant.enabled:
        return Distrust("disabled_tenant", "tenant: it is disabled")
    if trusted is None:
        return tenant
    who = principal(sender_id or "")
    if who and (who in trusted or who in tenant.principals):
        return tenant
    return Distrust("forged", f"auth: {who or 'an unknown sender'} may not send for this tenant")
