"""From a request's bytes to an e-mail, or to the first rule that it breaks. Pure."""

import re

import msgspec

from mailpipe.messages import Email, Stream
from mailpipe.rules import Violation


class SendEmailRequest(Email, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /send-email`: an e-mail and its lane."""

    stream: Stream = "transactional"

    def email(self) -> Email:
        """Without what is only of the request."""
        return Email(**{name: getattr(self, name) for name in Email.__struct_fields__})


_decoder = msgspec.json.Decoder(SendEmailRequest)
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]+)`")
_AT = re.compile(r" - at `(key in )?\$\.?(?P<field>[^`]*)`$")


def decode(body: bytes) -> SendEmailRequest | Violation:
    """Read the body of a request."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        return _violation(str(error))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return Violation("body", "json", f"The body is not valid JSON: {error}")


def _violation(text: str) -> Violation:
    place = _AT.search(text)
    inside = place["field"] if place else ""
    reason = text[: place.start()] if place else text
    if missing := _MISSING.search(reason):
        field = f"{inside}.{missing['field']}".lstrip(".")
        return Violation(field, "required", f"Missing required field: {field}")
    if unknown := _UNKNOWN.search(reason):
        field = f"{inside}.{unknown['field']}".lstrip(".")
        return Violation(field, "unknown_field", f"Unknown field: {field}; leave it out.")
    constraint = "enum" if reason.startswith("Invalid enum") else "type"
    return Violation(inside or "body", constraint, f"{inside or 'body'}: {reason}")
