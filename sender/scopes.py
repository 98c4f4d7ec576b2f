"""Which mail an answer of SES stops: exactly what the answer is about, and nothing beside it. Pure.

Scopes: see `mailpipe/scopes.py`. SES's codes and texts: SES API v2 reference, "SendEmail" (Errors);
SES Developer Guide, "Amazon SES email sending errors" and "Errors related to the sending quotas".
"""

from typing import Literal, NamedTuple

from mailpipe import scopes
from mailpipe.board import ACCOUNT, kind_of
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.resources import CONFIGURATION_SET
from mailpipe.scopes import SET, identity, parsed, stream_scope

Reason = Literal[
    "access_denied",
    "account_paused",
    "account_suspended",
    "daily_quota",
    "identity_not_verified",
    "mail_from_not_verified",
    "set_missing",
    "set_paused",
]

_RATE = "sending rate exceeded"
_DAY = "message quota exceeded"


class Fault(NamedTuple):
    """What is at fault, and the mail that has to wait until it is mended."""

    scope: str
    reason: Reason


def scopes_of(message: EmailMessage) -> tuple[str, ...]:
    """Every scope that this mail is in."""
    email = message.email
    return scopes.scopes_of(message.tenant, message.stream, email.from_, email.recipients())


def is_rate(failure: CallFailed) -> bool:
    """Whether more than the account's rate was sent: everybody has to slow down."""
    return failure.kind is Kind.THROTTLED and _RATE in failure.text.lower()


def fault_of(failure: CallFailed, message: EmailMessage) -> Fault | None:
    """The scope that an answer pauses, always one of the mail's own. None: no more than this mail
    waits (a throttle), or this process is at fault (CONFIGURATION: role, credentials, endpoint).
    """
    text = failure.text.lower()
    if failure.kind is Kind.THROTTLED:
        daily = _DAY in text or (failure.code == "LimitExceededException" and _RATE not in text)
        return Fault(ACCOUNT, "daily_quota") if daily else None
    if failure.kind is not Kind.CONFIGURATION:
        return None
    match failure.code:
        case "MessageRejected":
            return Fault(_named_identity(failure, message), "identity_not_verified")
        case "MailFromDomainNotVerifiedException":
            return Fault(_from_domain(message), "mail_from_not_verified")
        case "NotFoundException":
            return Fault(SET, "set_missing")
        case "SendingPausedException" if "configuration set" in text:
            return Fault(SET, "set_paused")
        case "SendingPausedException":
            return Fault(ACCOUNT, "account_paused")
        case "AccountSuspendedException":
            return Fault(ACCOUNT, "account_suspended")
        case "AccessDenied" | "AccessDeniedException" | "NotAuthorized":
            denied = _denied(failure, message)
            return None if denied is None else Fault(denied, "access_denied")
    return None


def widened(fault: Fault, message: EmailMessage) -> Fault:
    """The same for where too many identities are paused already: the tenant's whole stream. Each of
    its mails may name another identity, and nobody could read a board with all of them.
    """
    return (
        fault._replace(scope=stream_scope(message.tenant, message.stream))
        if kind_of(fault.scope) == "identity"
        else fault
    )


def _denied(failure: CallFailed, message: EmailMessage) -> str | None:
    """A policy may allow some identities or configuration sets only, and name them. Naming none it
    is the policy of this process, and others may have another.
    """
    if CONFIGURATION_SET in failure.named:
        return SET
    return _named_identity(failure, message) if failure.named else None


def _named_identity(failure: CallFailed, message: EmailMessage) -> str:
    """Of the identities that SES names the first that is this mail's; else its From domain's: an
    identity that its sub-domains inherit is named by its own name.
    """
    named = {identity(_spec(one)) for one in failure.named}
    ours = [scope for scope in scopes_of(message) if scope in named]
    return ours[0] if ours else _from_domain(message)


def _from_domain(message: EmailMessage) -> str:
    sender = parsed(message.email.from_)
    return ACCOUNT if sender is None else identity(sender.domain)


def _spec(name: str) -> str:
    """As SES names it: an address, with or without a name, or a domain."""
    found = parsed(name)
    return name if found is None else found.spec
