"""What SES takes as an attachment. Pure.

SES API v2 reference, "Attachment"; SES Developer Guide, "Amazon SES unsupported attachment types"
and "Service quotas in Amazon SES".
"""

from infra.local.ses.refusals import bad, missing
from infra.local.ses.requests import Attachment

MAX_PARTS = 500
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
"""The text that virus scanners take for a virus: SES accepts the mail and then rejects it (SES
Developer Guide, "Using the mailbox simulator")."""

_DISPOSITIONS = frozenset({None, "ATTACHMENT", "INLINE"})
_ENCODINGS = frozenset({None, "BASE64", "QUOTED_PRINTABLE", "SEVEN_BIT"})
_REFUSED = """
ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js
jse ksh lib lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1
msh2 mshxml msh1xml msh2xml msi msp mst ops pcd pif plg prf prg reg scf scr sct shb shs sys ps1
ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps vsmacros vss vst vsw vxd ws wsc wsf wsh xnk
"""
_REFUSED_EXTENSIONS = frozenset(_REFUSED.split())


def refused(name: str) -> bool:
    """Whether SES refuses attachments of that name."""
    return name.rpartition(".")[2].lower() in _REFUSED_EXTENSIONS and "." in name


def check(given: list[Attachment]) -> bool:
    """Whether one of them holds the test virus. Raises Refusal."""
    if len(given) > MAX_PARTS:
        raise bad(f"The message has more than {MAX_PARTS} parts.")
    for number, one in enumerate(given):
        path = f"content.simple.attachments.{number + 1}.member"
        if one.raw_content is None:
            raise missing(f"{path}.rawContent")
        if not one.file_name:
            raise missing(f"{path}.fileName")
        _attachment(one)
    return any(EICAR in (one.raw_content or b"") for one in given)


def _attachment(one: Attachment) -> None:
    name = one.file_name or ""
    if len(name) > 255 or any(character < " " for character in name):
        raise bad(f"Invalid attachment file name: {name[:60]!r}")
    if refused(name):
        raise bad(f"Attachments of this type are not supported: {name[-60:]!r}")
    if one.content_disposition not in _DISPOSITIONS:
        raise bad(f"Invalid ContentDisposition: {one.content_disposition[:40]!r}")  # type: ignore[index]
    if one.content_transfer_encoding not in _ENCODINGS:
        raise bad(f"Invalid ContentTransferEncoding: {one.content_transfer_encoding!r}")
    for member, text, longest in (
        ("ContentType", one.content_type, 78),
        ("ContentId", one.content_id, 78),
        ("ContentDescription", one.content_description, 1000),
    ):
        if text is not None and not 1 <= len(text) <= longest:
            raise bad(f"{member} must have 1 to {longest} characters")
