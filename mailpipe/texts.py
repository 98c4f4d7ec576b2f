"""What a text may hold where it becomes part of an e-mail, or of a log. Pure."""

import re
import unicodedata

from mailpipe.constraints import Constraint

#: Line breaks of any kind, other controls, and bidirectional overrides: none has business in a
#: header, and Python's `splitlines` characters become real line breaks in some mail generators.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_LOGGED_CHARS = 300
_QUOTED = re.compile("['\"]")
_ADDRESS = re.compile(r"[^\s<>,;:]+@[^\s<>,;:]+")
#: Scripts with letters that look like those of another one of them (Unicode TR 39, "confusables").
_ALIKE = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})


def unsafe_in_header(text: str) -> Constraint | None:
    """The constraint that `text` breaks as part of a header, or None when it is safe.

    An RFC 2047 encoded word is refused too: Python's generator may decode one into a real line
    break, and so into a header of the attacker's choice (CVE-2024-6923).
    """
    # Nothing unsafe is printable, and that is known in half the time.
    if not text.isprintable() and (found := _UNSAFE.search(text)):
        return "unicode" if _SURROGATE.match(found[0]) else "control_characters"
    if "=?" in text:
        return "encoded_word"
    return None


def unsafe_in_body(text: str) -> Constraint | None:
    """The constraint that `text` breaks anywhere: NUL, or half of a surrogate pair."""
    if "\x00" in text:
        return "control_characters"
    if text.isascii():  # which is known of a text, without looking at it
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return "unicode"
    return None


def without_addresses(text: str, *, max_chars: int = MAX_LOGGED_CHARS) -> str:
    """Fit for logs: nobody's address in it, and short."""
    # Cut twice: what is looked at has its bound, and no address is cut before it is found.
    return _ADDRESS.sub("[address]", text[: 4 * max_chars])[:max_chars]


def told(error: Exception) -> str:
    """Why a message could not be read, and where, without any value of it: for logs."""
    reason, at, place = str(error).rpartition(" - at `")
    if not at:
        reason, place = place, ""
    return f"{_QUOTED.split(reason, 1)[0].rstrip()}{at}{place}"


def mixes_scripts(word: str) -> bool:
    """Whether a word has letters of two scripts that look alike, as Latin ones with a
    Cyrillic one among them.

    A word all in one script that looks like one in another cannot be told from an honest one.
    """
    if word.isascii():
        return False
    names = (unicodedata.name(character, "") for character in word if character.isalpha())
    return len({name.partition(" ")[0] for name in names} & _ALIKE) > 1
