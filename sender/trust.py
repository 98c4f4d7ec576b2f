"""Whether a message on the queue may speak for the tenant that it names. Pure.

Whoever may send to the queue can write any tenant into a message. SQS says who has sent it: the
unique id of an IAM user (`AIDA…`), or that of a role and the session's name (`AROA…:session`)
(SQS API reference, "ReceiveMessage", SenderId; IAM User Guide, "IAM identifiers").
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from mailpipe.origins import principal
from mailpipe.tenants import Tenant


class Distrust(NamedTuple):
    """Why a message is quarantined: `kind` for the metric, `reason` for who looks at it."""

    kind: str
    reason: str


def judge(
    tenant: Tenant | None,
    sender_id: str | None,
    *,
    trusted: Collection[str] | None,
    earlier: Sequence[str] = (),
) -> Tenant | Distrust:
    """The tenant that the message speaks for, or why it must not.

    `trusted` are the principals that may speak for every tenant (the REST door, the senders); None:
    who has sent it is not looked at. `earlier` have sent it before it was put back: they must be
    allowed to as well, whatever they were buried for.
    """
    if tenant is None:
        return Distrust("unknown_tenant", "tenant: there is no such tenant")
    if trusted is not None:
        for who in (principal(sender_id or ""), *earlier):
            if not who or (who not in trusted and who not in tenant.principals):
                by = who or "an unknown sender"
                return Distrust("forged", f"auth: {by} may not send for this tenant")
    if not tenant.enabled:
        return Distrust("disabled_tenant", "tenant: it is disabled")
    return tenant
