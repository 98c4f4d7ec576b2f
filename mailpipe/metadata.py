"""The rules of an e-mail's metadata: the customer's own values, which are stored with the mail and
come back in its status and in each of its webhooks. Pure.
"""

import math

import msgspec

from mailpipe.attachments import Fault
from mailpipe.constraints import Constraint
from mailpipe.messages import MetadataValue, plain
from mailpipe.texts import unsafe_in_body

MAX_METADATA_BYTES = 4096  # ours: it is stored in the record and travels in every webhook
MAX_INTEGER = 2**63 - 1  # what JSON readers of other languages hold
_LEAST_OF_ENTRY, _MOST_OF_ENTRY = len('"":0,'), len('"":-2.2250738585072014e-308,')
"""As JSON, without the characters of its texts."""
_MOST_OF_CHARACTER = len("\\u0001")


def fault_of(metadata: dict[str, MetadataValue]) -> Fault | None:
    """The first rule that it breaks."""
    if _is_plain(metadata):
        return None
    count, chars = len(metadata), 0
    if _LEAST_OF_ENTRY * count <= MAX_METADATA_BYTES:
        texts = [value for value in metadata.values() if isinstance(value, str)]
        chars = sum(map(len, metadata)) + sum(map(len, texts))
    if _LEAST_OF_ENTRY * count + chars > MAX_METADATA_BYTES:  # before all of it is looked at
        text = f"metadata has at most {MAX_METADATA_BYTES} bytes as JSON."
        return "metadata", "max_bytes", text
    for key, value in metadata.items():
        if constraint := unsafe_in_body(key) or _bad_value(value):
            return "metadata", constraint, f"metadata: {_RULES[constraint]}"
    if _MOST_OF_ENTRY * count + _MOST_OF_CHARACTER * chars < MAX_METADATA_BYTES:
        return None
    size = len(msgspec.json.encode(metadata, enc_hook=plain))
    if size <= MAX_METADATA_BYTES:
        return None
    text = f"metadata is {size} bytes as JSON; at most {MAX_METADATA_BYTES}."
    return "metadata", "max_bytes", text


def _is_plain(metadata: dict[str, MetadataValue]) -> bool:
    """Whether it is what most mail has, a few short texts of ASCII and integers: they break no
    rule.
    """
    if _MOST_OF_ENTRY * len(metadata) > MAX_METADATA_BYTES:
        return False
    chars = 0
    for key, value in metadata.items():
        if type(value) is str:
            if not value.isascii() or "\0" in value:
                return False
            chars += len(value)
        elif type(value) is not int or not -MAX_INTEGER <= value <= MAX_INTEGER:
            return False
        if not key.isascii() or "\0" in key:
            return False
        chars += len(key)
    return _MOST_OF_ENTRY * len(metadata) + _MOST_OF_CHARACTER * chars <= MAX_METADATA_BYTES


def _bad_value(value: object) -> Constraint | None:
    if isinstance(value, str):
        return unsafe_in_body(value)
    if type(value) is int:
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else "number"
    if type(value) is float:
        return None if math.isfinite(value) else "number"
    return None if value is None or type(value) is bool else "type"


_RULES: dict[Constraint, str] = {
    "control_characters": "keys and values must not contain NUL.",
    "unicode": "keys and values must not contain half of a surrogate pair.",
    "number": "numbers must be finite, integers of at most 64 bits.",
    "type": "keys are texts, values texts, numbers, true, false or null.",
}
