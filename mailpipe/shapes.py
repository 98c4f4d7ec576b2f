"""Whether values have the types of the contract, and what to say when they have not. Pure."""

import re

import msgspec

from mailpipe.messages import EMAIL_FIELDS, Attachment, Email
from mailpipe.resources import LANES
from mailpipe.rules import Violation

MAX_PLACE_CHARS = 120

_PARTS = tuple(zip(Attachment.__struct_fields__, Attachment.__struct_encode_fields__, strict=True))
_Unnamed = msgspec.defstruct(
    "_Unnamed", [(one.name, one.type) for one in msgspec.structs.fields(Email)]
)
"""An e-mail under Python's names: `asdict` gives those, in a tenth of the time."""
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"unknown field `(?P<field>.+)`", re.DOTALL)
_AT = re.compile(r" - at `(key` in `)?\$\.?(?P<field>[^`]*)`\Z")
_NO_NUMBER = ("Number out of range", "Integer value out of range")


def check_given(email: object, stream: object) -> Violation | None:
    """Whether these are what a producer takes: Python holds nobody to it."""
    if not isinstance(email, Email):
        text = f"A mail is a mailpipe.Email or, in send_many, Keyed, not {type(email).__name__}."
        return Violation("body", "type", text)
    if not isinstance(stream, str) or stream not in LANES:
        return Violation("stream", "enum", f"stream is one of {', '.join(LANES)}.")
    return check_types(email)


def check_types(email: Email) -> Violation | None:
    """Python does not hold a producer to the types of `Email`; this does (about 1 µs)."""
    if email.attachments:
        return _first_wrong(email)
    try:
        msgspec.convert(msgspec.structs.asdict(email), _Unnamed)
    except ValueError:  # msgspec.ValidationError is one
        return _first_wrong(email)
    return None


def _first_wrong(email: Email) -> Violation | None:
    """The same by the names of the contract, which the answer needs."""
    given = {name: getattr(email, field) for field, name in EMAIL_FIELDS}
    attached: object = email.attachments
    if attached and type(attached) is list:
        for index, one in enumerate(attached):
            if not isinstance(one, Attachment):
                place = f"attachments[{index}]"
                return Violation(place, "type", f"{place} must be a mailpipe.Attachment.")
        # As dicts: msgspec takes what is a struct already for right.
        given["attachments"] = [
            {name: getattr(one, field) for field, name in _PARTS} for one in email.attachments
        ]
    try:
        msgspec.convert(given, Email)
    except msgspec.ValidationError as error:
        return violation_of(error)
    except ValueError:  # an integer of more than 4,300 digits (sys.get_int_max_str_digits)
        return Violation("metadata", "number", "metadata: integers have at most 64 bits.")
    return None


def violation_of(error: msgspec.ValidationError) -> Violation:
    """The broken rule that msgspec's sentence tells of."""
    text = str(error)
    place = _AT.search(text)
    inside = place["field"] if place else ""
    reason = text[: place.start()] if place else text
    if missing := _MISSING.search(reason):
        field = f"{inside}.{missing['field']}".lstrip(".")
        return Violation(field, "required", f"Missing required field: {field}")
    if unknown := _UNKNOWN.search(reason):
        field = shown(f"{inside}.{unknown['field']}".lstrip("."))
        return Violation(field, "unknown_field", f"Unknown field: {field}; leave it out.")
    field = inside or "body"
    if reason in _NO_NUMBER:
        return Violation(field, "number", f"{field}: numbers must be finite and not that long.")
    if reason.startswith("Invalid enum"):
        return Violation(field, "enum", f"{field}: {shown(reason)}")
    return Violation(field, "type", f"{field}: {reason}")


def shown(text: str) -> str:
    """What a caller wrote, fit for an answer: short, printable ASCII."""
    return text[:MAX_PLACE_CHARS].encode("unicode_escape").decode()
