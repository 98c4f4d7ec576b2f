"""E-mail addresses as SES takes them, with the texts of its refusals. Pure.

SES API v2 reference, "Destination": the local part is 7-bit ASCII (no SMTPUTF8), a domain with
other characters is given in Punycode. SES Developer Guide, "Amazon SES email sending errors".
"""

import re
from functools import lru_cache

MAX_LOCAL_BYTES = 64
MAX_LABEL_BYTES = 63

# Nearly every address; the others are looked at closely, to say what is wrong with them.
_USUAL = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]++(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]++)*+"
    r"@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+)*+"
)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"')
# Single characters as alternatives, and possessive: linear on whatever a client sends.
_PHRASE = re.compile(r"""(?:"(?:[ !#-\[\]-~]|\\[ -~])*+"|[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~. \t])*+""")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+")


class AddressFault(ValueError):
    """The address is not one; the text is SES's."""


@lru_cache(maxsize=1024)  # a request's addresses are asked for more than once
def addr_spec(text: str) -> str:
    """`ana@example.net` of `Ana <ana@example.net>` or of itself. Raises AddressFault."""
    address = text.strip(" \t")
    if address.endswith(">"):
        phrase, opened, address = address[:-1].rpartition("<")
        if not opened or not _PHRASE.fullmatch(phrase):
            raise AddressFault("Illegal address")
    fault = _fault(address)
    if fault is not None:
        raise AddressFault(fault)
    return address


def domain_of(address: str) -> str:
    """The part after the last @, in lower case."""
    return address.rpartition("@")[2].lower()


def _fault(address: str) -> str | None:
    if _USUAL.fullmatch(address):
        return None
    local, at, domain = address.rpartition("@")
    if not at:
        return "Missing final '@domain'"
    if not local:
        return "Missing local name"
    if not domain:
        return "Missing domain"
    return _local_fault(local) or _domain_fault(domain)


def _local_fault(local: str) -> str | None:
    if len(local) > MAX_LOCAL_BYTES:
        return f"Local address is longer than {MAX_LOCAL_BYTES} characters"
    if _QUOTED.fullmatch(local):
        return None
    if any(character <= " " or character >= "\x7f" for character in local):
        return "Local address contains control or whitespace"
    return _dot_fault("Local address", local) or (
        None if _ATOMS.fullmatch(local) else "Local address contains illegal character"
    )


def _domain_fault(domain: str) -> str | None:
    if any(character <= " " or character == "\x7f" for character in domain):
        return "Domain contains control or whitespace"
    if not _DOMAIN.fullmatch(domain):
        return "Domain contains illegal character"
    if any(len(label) > MAX_LABEL_BYTES for label in domain.split(".")):
        return f"Domain contains a label longer than {MAX_LABEL_BYTES} characters"
    return _dot_fault("Domain", domain)


def _dot_fault(part: str, text: str) -> str | None:
    if text.startswith("."):
        return f"{part} starts with dot"
    if text.endswith("."):
        return f"{part} ends with dot"
    return f"{part} contains dot-dot" if ".." in text else None
