"""What an attachment must satisfy, and how large a mail is as SES counts. Pure.

SES API v2 reference, "Attachment"; SES Developer Guide, "Amazon SES unsupported attachment types"
and "Service quotas in Amazon SES". To check the base64 of a large mail takes tens of milliseconds:
whoever serves others meanwhile does it in a thread (`is_large`).
"""

import binascii
import re

from mailpipe.constraints import Constraint
from mailpipe.messages import Attachment, Email
from mailpipe.texts import unsafe_in_header

MAX_ATTACHMENTS = 100  # ours: SES takes 500 MIME parts, its own and nested ones included
MAX_NAME_CHARS = 255
MAX_TYPE_CHARS = 78
MAX_MAIL_BYTES = 40_000_000
"""SES's 40 MB, read as the smaller of the two that it may mean."""
PART_BYTES = 512
"""What the headers and the boundary of a part may take, its name aside."""
LARGE_CHARS = 48 * 1024

_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105 - RFC 6838, section 4.2
_TYPE = re.compile(rf"\A({_TOKEN})/{_TOKEN}(?:; ?{_TOKEN}={_TOKEN})*\Z")
_NOT_ATTACHED = frozenset({"multipart", "message"})
"""RFC 2046 forbids base64 for them."""
_CHUNK_CHARS = 65_536
"""Checked in pieces: in between other threads come to run."""

_REFUSED = """
ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js
jse ksh lib lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1
msh1xml msh2 msh2xml mshxml msi msp mst ops pcd pif plg prf prg ps1 ps1xml ps2 ps2xml psc1 psc2 reg
scf scr sct shb shs sys tmp url vb vbe vbs vps vsmacros vss vst vsw vxd ws wsc wsf wsh xnk
"""
REFUSED_EXTENSIONS = frozenset(_REFUSED.split())
"""What SES refuses to send."""

Fault = tuple[str, Constraint, str]
"""Field, constraint and sentence of a broken rule."""


def is_large(email: Email) -> bool:
    """Whether to look at all of it takes too long for an event loop."""
    size = len(email.body_text or "") + len(email.body_html or "")
    for one in email.attachments:
        size += len(one.content)
    return size > LARGE_CHARS


def mail_bytes(email: Email) -> int:
    """At most so many bytes SES makes of it: base64 in lines of 76 characters, with their ends."""
    texts = sum(_utf8_bytes(text) for text in (email.body_text, email.body_html) if text)
    encoded = -(-texts // 3) * 4 + sum(len(one.content) for one in email.attachments)
    return encoded + encoded * 2 // 76 + PART_BYTES * (2 + len(email.attachments))


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def fault_of(email: Email) -> Fault | None:
    """The first rule that the attachments break, or the size of all of it."""
    attached = email.attachments
    if is_large(email) and (size := mail_bytes(email)) > MAX_MAIL_BYTES:
        text = f"The e-mail is {size} bytes when it is encoded; SES takes {MAX_MAIL_BYTES}."
        return "body", "max_bytes", text
    if len(attached) > MAX_ATTACHMENTS:
        text = f"{len(attached)} attachments; at most {MAX_ATTACHMENTS}."
        return "attachments", "max_items", text
    for index, one in enumerate(attached):
        place = f"attachments[{index}]"
        if fault := (
            _name(f"{place}.filename", one.filename)
            or _type(f"{place}.contentType", one.content_type)
            or _content(f"{place}.content", one)
        ):
            return fault
    return None


def _name(place: str, name: str) -> Fault | None:
    if not name.strip():
        return place, "required", f"{place} is missing: the name that the recipient sees."
    if len(name) > MAX_NAME_CHARS:
        return place, "max_length", f"{place} is longer than {MAX_NAME_CHARS} characters."
    if constraint := unsafe_in_header(name):
        return place, constraint, f"{place} must not contain control characters or '=?'."
    if "/" in name or "\\" in name or name != name.strip() or name.endswith("."):
        text = "is a bare name: no / or \\, no space at its ends, no dot at its end."
        return place, "file_name", f"{place} {text}"
    _, dot, extension = name.rpartition(".")
    if dot and extension.lower() in REFUSED_EXTENSIONS:
        return place, "file_type", f"{place}: SES sends no files of type .{extension}; zip it."
    return None


def _type(place: str, text: str) -> Fault | None:
    found = _TYPE.match(text) if len(text) <= MAX_TYPE_CHARS else None
    if found is None:
        wanted = f"like application/pdf, at most {MAX_TYPE_CHARS} characters"
        return place, "content_type", f"{place} is a media type {wanted}."
    if found[1].lower() in _NOT_ATTACHED:
        instead = "use application/octet-stream"
        return place, "content_type", f"{place}: {found[1]}/… cannot be base64; {instead}."
    return None


def _content(place: str, one: Attachment) -> Fault | None:
    if not one.content:
        return place, "required", f"{place} is empty: give the file as base64."
    if not is_base64(one.content):
        text = "is not base64 (RFC 4648, section 4: no line breaks, padded with =)."
        return place, "base64", f"{place} {text}"
    return None


def is_base64(text: str) -> bool:
    """Whether this is base64 and nothing else: no line breaks, not the URL alphabet, padded."""
    padding = text.find("=")
    if len(text) % 4 or 0 <= padding < len(text) - 2:
        return False
    try:
        for start in range(0, len(text), _CHUNK_CHARS):
            binascii.a2b_base64(text[start : start + _CHUNK_CHARS], strict_mode=True)
    except ValueError:
        return False
    return True
