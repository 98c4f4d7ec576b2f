"""One request to SES with the answer that AWS documents, and short ways to write one down."""

from dataclasses import dataclass, field
from typing import Any

API = "SES API v2 reference"
GUIDE = "SES Developer Guide"
ERRORS = f"{GUIDE}, Amazon SES email sending errors"
LIMITS = f"{GUIDE}, Errors related to the sending quotas"
QUOTAS = f"{GUIDE}, Service quotas in Amazon SES"
COMMON = f"{API}, Common Error Types"

SIMPLE: dict[str, Any] = {
    "Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "It works."}}}
}
TO = {"ToAddresses": ["success@simulator.amazonses.com"]}
MAIL: dict[str, Any] = {
    "FromEmailAddress": "shop@example.com",
    "Destination": TO,
    "Content": SIMPLE,
    "ConfigurationSetName": "enterprise-email",
}
RAW = (
    b"From: shop@example.com\r\nTo: success@simulator.amazonses.com\r\nSubject: x\r\n\r\nHello\r\n"
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One request. With `raw` it is sent as bytes (method, path, body), which no SDK would do."""

    source: str
    operation: str
    expected: str
    params: dict[str, Any] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    raw: tuple[str, str, bytes] | None = None
    cli: bool = False


def mail(**changes: Any) -> dict[str, Any]:
    """The good mail with members replaced."""
    return {**MAIL, **changes}


def simple(**changes: Any) -> dict[str, Any]:
    """The good mail with members of its content replaced."""
    return mail(Content={"Simple": {**SIMPLE["Simple"], **changes}})


def to(*addresses: str) -> dict[str, Any]:
    """The good mail to these."""
    return mail(Destination={"ToAddresses": [*addresses]})


def attached(**more: Any) -> dict[str, Any]:
    """The good mail with one file."""
    return simple(Attachments=[{"RawContent": b"abc", "FileName": "a.txt", **more}])


def send(source: str, params: dict[str, Any], expected: str, **more: Any) -> Row:
    """A SendEmail."""
    return Row(source=source, operation="SendEmail", params=params, expected=expected, **more)


def refused(source: str, params: dict[str, Any], **more: Any) -> Row:
    """A SendEmail that can never succeed."""
    return send(source, params, "400 BadRequestException", **more)


def posted(source: str, method: str, path: str, body: bytes, expected: str) -> Row:
    """Bytes that no SDK would send."""
    return Row(
        source=source,
        operation=f"{method} {path[:40]}",
        raw=(method, path, body),
        expected=expected,
    )
