"""SES's errors: HTTP status, code and text. Pure.

SES API v2 reference, "SendEmail" (Errors) and "Common Error Types"; SES Developer Guide, "Amazon
SES email sending errors" and "Errors related to the sending quotas". Where AWS publishes no text
the code is SES's and the text is ours.
"""


class Refusal(Exception):
    """SES says no."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def bad(text: str) -> Refusal:
    """A request that can never succeed."""
    return Refusal(400, "BadRequestException", text)


def missing(path: str) -> Refusal:
    """A required member that is not there."""
    return bad(
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: "
        "Member must not be null"
    )


def not_found(text: str) -> Refusal:
    """A configuration set, an identity, a suppressed address that does not exist."""
    return Refusal(404, "NotFoundException", text)


def already_exists(text: str) -> Refusal:
    """The name is taken."""
    return Refusal(400, "AlreadyExistsException", text)


def not_verified(region: str, *addresses: str) -> Refusal:
    """An identity that may not send (or, in the sandbox, receive)."""
    return Refusal(
        400,
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region "
        f"{region.upper()}: {', '.join(addresses)}",
    )


def access_denied(operation: str) -> Refusal:
    """The caller's policy does not allow it."""
    return Refusal(
        403,
        "AccessDeniedException",
        "User: arn:aws:iam::000000000000:user/local is not authorized to perform: "
        f"ses:{operation} because no identity-based policy allows the ses:{operation} action",
    )


def throttled() -> Refusal:
    """More recipients in a second than the account may send to."""
    return Refusal(429, "TooManyRequestsException", "Maximum sending rate exceeded.")


def daily_quota() -> Refusal:
    """More recipients in 24 hours than the account may send to."""
    return Refusal(400, "LimitExceededException", "Daily message quota exceeded.")


def api_rate() -> Refusal:
    """An operation other than SendEmail was called too often."""
    return Refusal(429, "TooManyRequestsException", "Rate exceeded")


def suspended() -> Refusal:
    """The account may never send again."""
    return Refusal(
        400, "AccountSuspendedException", "Sending is disabled for this account, for good."
    )


def paused() -> Refusal:
    """The account's sending is switched off."""
    return Refusal(400, "SendingPausedException", "Email sending is disabled for this account.")


def too_large() -> Refusal:
    """A request larger than the service takes at all."""
    return Refusal(413, "RequestEntityTooLargeException", "The request is too large.")


def unavailable(status: int, code: str | None) -> Refusal:
    """SES is not well; nothing was accepted."""
    code = code or ("ServiceUnavailable" if status == 503 else "InternalFailure")
    return Refusal(status, code, "The service is temporarily unable to answer.")


def internal() -> Refusal:
    """A fault of the simulator."""
    return Refusal(500, "InternalFailure", "The simulator has failed; its stderr says why.")


def set_paused(name: str) -> Refusal:
    """Sending is switched off for one configuration set."""
    return Refusal(
        400,
        "SendingPausedException",
        f"Email sending is disabled for the configuration set <{name}>.",
    )


def no_such_set(name: str) -> Refusal:
    """A send that names a configuration set which does not exist."""
    return not_found(f"Configuration set <{name}> does not exist.")


def mail_from_not_verified(domain: str) -> Refusal:
    """The custom MAIL FROM domain's MX record cannot be read."""
    return Refusal(
        400,
        "MailFromDomainNotVerifiedException",
        f"The MX record of the MAIL FROM domain of {domain} could not be read.",
    )
