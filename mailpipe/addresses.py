"""E-mail addresses: parsing, IDNA, display names, and the suppression key. Pure.

Syntax is judged by the `email-validator` library, which maps domains by UTS 46 and encodes them by
IDNA 2008. SES wants 7-bit addresses: a local part outside ASCII is refused, a domain outside ASCII
becomes Punycode (SES API reference, "Destination").
"""

import re
from email.header import Header
from email.utils import formataddr
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email
from msgspec import Struct

from mailpipe.constraints import Constraint
from mailpipe.keyed import hmac_sha256
from mailpipe.texts import mixes_scripts, unsafe_in_header

MAX_ADDRESS_CHARS = 500  # ours: RFC 5321's 254 for the address, the rest for its name

#: A local part that needs no judge. Most mails go to few domains, so that the library, which takes
#: 35 µs for an address, is asked once for each domain instead of once for each recipient.
_PLAIN_LOCAL = r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
_PLAIN = re.compile(_PLAIN_LOCAL)
#: Most addresses: no name, nothing that could be unsafe in a header; its domain is for the judge.
_BARE = re.compile(rf"(?P<local>{_PLAIN_LOCAL})@(?P<domain>[A-Za-z0-9.-]+)")
MAX_LOCAL_CHARS = 64  # RFC 5321, 4.5.3.1
MAX_SPEC_CHARS = 254
MAX_PHRASE_CHARS = 75
"""Of a name as one word of a header (RFC 2047, section 2); a longer one becomes several."""

_NAMED = re.compile(r"\A(?P<name>[^<>]*)<(?P<spec>[^<>]*)>\s*\Z")


class Address(Struct, frozen=True):
    """A parsed address. `spec` is `local@domain` with the domain in Punycode, lower case."""

    name: str
    local: str
    domain: str

    @property
    def spec(self) -> str:
        """`local@domain` as SES takes it."""
        return f"{self.local}@{self.domain}"

    @property
    def header(self) -> str:
        """The form for a header, ASCII in one line: the name quoted (RFC 5322) or encoded (RFC
        2047) as needed.
        """
        if not self.name:
            return self.spec
        text = formataddr((self.name, self.spec))
        if len(text) - len(self.spec) - len(" <>") <= MAX_PHRASE_CHARS:
            return text
        words = Header(self.name, "utf-8").encode(maxlinelen=MAX_PHRASE_CHARS, linesep="")
        return f"{words} <{self.spec}>"


class BadAddress(ValueError):
    """Not an address that SES would take; `constraint` is the public code of the broken rule."""

    def __init__(self, constraint: Constraint, message: str) -> None:
        super().__init__(message)
        self.constraint = constraint


@lru_cache(maxsize=1024)  # of more the CPU's caches hold none until it is asked for again
def parse(text: str) -> Address:
    """Parse `a@example.com` or `Name <a@example.com>` (the name may hold a comma, quoted or not).

    Raises BadAddress.
    """
    if len(text) <= MAX_SPEC_CHARS and (bare := _BARE.fullmatch(text)) is not None:
        local, domain = bare.groups()
        if len(local) <= MAX_LOCAL_CHARS:
            return Address("", local, _judged(f"a@{domain}").domain)
    if len(text) > MAX_ADDRESS_CHARS:
        raise BadAddress("max_length", f"longer than {MAX_ADDRESS_CHARS} characters with its name")
    if constraint := unsafe_in_header(text):
        raise BadAddress(constraint, f"an address must not contain {_WORDS[constraint]}")
    name, spec = "", text.strip()
    if named := _NAMED.match(text):
        name, spec = _unquoted(named["name"].strip()), named["spec"].strip()
        if constraint := unsafe_in_header(name):  # `=\\?` is an encoded word once it is unquoted
            raise BadAddress(constraint, f"a name must not contain {_WORDS[constraint]}")
        if any(map(mixes_scripts, name.split())):
            raise BadAddress("mixed_scripts", "a word of the name mixes scripts that look alike")
    local = spec.rpartition("@")[0]
    if not local.isascii():
        raise BadAddress("local_part_not_ascii", "the part before the @ must be ASCII for SES")
    domain = spec[len(local) + 1 :]
    if len(spec) <= MAX_SPEC_CHARS and len(local) <= MAX_LOCAL_CHARS and _PLAIN.fullmatch(local):
        return Address(name, local, _judged(f"a@{domain}").domain)
    judged = _judged(spec)
    return Address(name, judged.local, judged.domain)


@lru_cache(maxsize=4096)
def _judged(spec: str) -> Address:
    """What the library makes of it. Raises BadAddress."""
    try:
        found = validate_email(spec, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise BadAddress("address_syntax", str(error)) from None
    if any(map(mixes_scripts, found.domain.split("."))):
        raise BadAddress("mixed_scripts", "a part of the domain mixes scripts that look alike")
    return Address("", found.local_part, found.ascii_domain.lower())


_WORDS: dict[Constraint, str] = {
    "control_characters": "control characters or line breaks",
    "encoded_word": "'=?' (an encoded word)",
    "unicode": "half of a surrogate pair",
}


def _unquoted(name: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1])
    return name


def domain_of(text: str) -> str | None:
    """A domain as `parse` gives it (Punycode, lower case), or None when it can be none."""
    try:
        return _judged(f"a@{text}").domain
    except BadAddress:
        return None


def bare(text: str) -> str:
    """`local@domain` of a text that should be an address; the text itself when it is none.

    For showing what a producer wrote, where a wrong address must not become an error of ours.
    """
    try:
        return parse(text).spec
    except BadAddress:
        return text


def normalised(text: str) -> str:
    """The form under which suppression and look-ups by recipient meet: all case folded.

    Only for comparing: SES gets the local part as it was written.
    """
    return bare(text).casefold()


def suppression_hash(key: bytes, text: str) -> str:
    """HMAC-SHA256 of the normalised address (hex), the sort key of the suppression list.

    Keyed, so that the table alone does not tell whether a guessed address is in it.
    """
    return hmac_sha256(key)(normalised(text).encode()).hex()
