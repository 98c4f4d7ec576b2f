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


THROTTLED = Refusal(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
DAILY_QUOTA = Refusal(400, "LimitExceededException", "Daily message quota exceeded.")
API_RATE = Refusal(429, "TooManyRequestsException", "Rate exceeded")
SUSPENDED = Refusal(
    400, "AccountSuspendedException", "Sending is disabled for this account, for good."
)
PAUSED = Refusal(400, "SendingPausedException", "Email sending is disabled for this account.")
TOO_LARGE = Refusal(413, "RequestEntityTooLargeException", "The request is too large.")
"""Common Error Types: a request larger than the service takes at all."""
UNAVAILABLE = Refusal(503, "ServiceUnavailable", "The service is temporarily unable to answer.")
INTERNAL = Refusal(500, "InternalFailure", "The simulator has failed; its stderr says why.")


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
