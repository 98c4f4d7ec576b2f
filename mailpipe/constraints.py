"""The closed list of what a refusal can name as its `constraint`: cause and fix of each. Pure.

`Constraint` holds it at the type checker, `CONSTRAINTS` explains it in docs/errors.md, and
tests/data/doors has an input that provokes each.
"""

from typing import Literal, NamedTuple

Constraint = Literal[
    "address_syntax",
    "base64",
    "content_type",
    "control_characters",
    "cursor",
    "depth",
    "duplicate_key",
    "encoded_word",
    "encoding",
    "enum",
    "file_name",
    "file_type",
    "forbidden_target",
    "from_domain",
    "header_name",
    "header_value",
    "id_syntax",
    "idempotency_key_syntax",
    "json",
    "local_part_not_ascii",
    "max_bytes",
    "max_items",
    "max_length",
    "min_items",
    "mixed_scripts",
    "not_supported",
    "number",
    "range",
    "required",
    "reserved",
    "tag_syntax",
    "time",
    "too_early",
    "too_far",
    "type",
    "unicode",
    "unique",
    "unknown_field",
    "url_port",
    "url_scheme",
    "url_syntax",
]


class Rule(NamedTuple):
    """Why something was refused, and what to do about it."""

    cause: str
    fix: str


CONSTRAINTS: dict[Constraint, Rule] = {
    "address_syntax": Rule(
        "The text is no address that SES would take: `local@domain` or `Name <local@domain>`, the "
        'domain a public name. Quoted local parts (`"a b"@…`) and IP addresses as domains '
        "(`a@[192.0.2.1]`) are never taken.",
        "Correct the address. One address for each entry of the list.",
    ),
    "base64": Rule(
        "An attachment's content is not base64 (RFC 4648, section 4): it has line breaks, the "
        "alphabet for URLs, no padding, or is a URL.",
        "Encode the file's bytes in one piece, padded with `=`. mailpipe fetches nothing.",
    ),
    "content_type": Rule(
        "An attachment's media type is not `type/subtype`, with parameters or not, of at most 78 "
        "characters; or it is `message/…` or `multipart/…`, which must not be base64 (RFC 2046).",
        "Use a type like `application/pdf`, or `application/octet-stream`.",
    ),
    "control_characters": Rule(
        "A line break of any kind (CR, LF, VT, FF, FS, GS, RS, NEL, U+2028, U+2029), another "
        "control character or a bidirectional override stands in a text that becomes a header; or "
        "NUL stands in any text.",
        "Take the character out.",
    ),
    "cursor": Rule(
        "The cursor was not given out for this list with these filters.",
        "Take `nextCursor` of the page before, with the same filters; or begin without a cursor.",
    ),
    "depth": Rule(
        "Arrays and objects of the body are nested more than 32 deep.",
        "Send the documented fields; none of them is nested deeper than 4.",
    ),
    "duplicate_key": Rule(
        "An object of the body has the same key twice, so it is not clear which one is meant.",
        "Write each key once.",
    ),
    "encoded_word": Rule(
        "`=?` stands in a text that becomes a header: it begins an RFC 2047 encoded word, which "
        "some mail programs decode into line breaks.",
        "Write the text as it should read; mailpipe encodes what is outside ASCII.",
    ),
    "encoding": Rule(
        "The body is not UTF-8, or begins with a byte order mark.",
        "Encode the JSON as UTF-8 without a byte order mark (RFC 8259, section 8.1).",
    ),
    "enum": Rule(
        "The value is none of those that the field takes.", "Use one of the documented values."
    ),
    "file_name": Rule(
        "An attachment's name has a path, a space at one of its ends, or a dot at its end.",
        "Give the bare name that the recipient is to see.",
    ),
    "file_type": Rule(
        'SES sends no files with this extension (SES Developer Guide, "Amazon SES unsupported '
        'attachment types").',
        "Send a ZIP archive, or a link.",
    ),
    "forbidden_target": Rule(
        "The URL leads to no host of the public Internet: a private, local or reserved address in "
        "whatever spelling, or a name of an internal network.",
        "Give a public host.",
    ),
    "from_domain": Rule(
        "The domain of `from` is none of those that this tenant may send from. A sub-domain must "
        "be allowed by itself.",
        "Send from an allowed domain, or have the domain added to the tenant.",
    ),
    "header_name": Rule(
        "A custom header's name is not 1 to 126 printable ASCII characters without space or colon.",
        "Rename the header.",
    ),
    "header_value": Rule(
        "A custom header's value is not printable ASCII of at most 870 characters.",
        "Shorten it, or take out what is not ASCII.",
    ),
    "id_syntax": Rule(
        "An id or a tenant's name is not 1 to 64 of the characters `A-Z a-z 0-9 _ -`.",
        "Use a UUID, or leave the id to mailpipe.",
    ),
    "idempotency_key_syntax": Rule(
        "An idempotency key is not 1 to 256 printable ASCII characters.",
        "Use a UUID or a number of your own, once for each e-mail.",
    ),
    "json": Rule(
        "The body is empty or is not JSON as RFC 8259 defines it.",
        "Send one JSON object; the message says where it breaks off.",
    ),
    "local_part_not_ascii": Rule(
        "What stands before the @ is not ASCII; SES does not take it.",
        "Use an address whose local part is ASCII. The domain may be in any script.",
    ),
    "max_bytes": Rule(
        "A text, the metadata or the whole e-mail has more bytes than the message says.",
        "Make it smaller.",
    ),
    "max_items": Rule(
        "A list or an object has more entries than the message says.",
        "Send fewer, for example in several e-mails.",
    ),
    "max_length": Rule("A text has more characters than the message says.", "Shorten it."),
    "min_items": Rule("A list has fewer entries than it needs.", "Send at least one."),
    "mixed_scripts": Rule(
        "One word of a name, or one label of a domain, mixes letters of scripts that look alike "
        "(Latin, Greek, Cyrillic, …): it could pass for another.",
        "Write each word in one script.",
    ),
    "not_supported": Rule(
        "The field belongs to a feature that is not there yet.",
        "Leave the field out.",
    ),
    "number": Rule(
        "A number is not finite (`NaN`, `Infinity`, `1e999`), or is an integer beyond 64 bits.",
        "Send a finite number, or the digits as a text.",
    ),
    "range": Rule(
        "A number is outside of the range that the message names.", "Use a number within it."
    ),
    "required": Rule("A required field is missing or empty.", "Give it."),
    "reserved": Rule(
        "The header or tag is set by mailpipe or SES.", "Leave it out, or use another name."
    ),
    "tag_syntax": Rule(
        "A tag's name or value is not 1 to 256 of the characters `A-Z a-z 0-9 _ -`.",
        "Use those characters.",
    ),
    "time": Rule(
        "The text is no RFC 3339 time with its zone, or there is no such day.",
        "Write it as `2026-11-24T10:00:00Z`; in a URL a `+` is written `%2B`.",
    ),
    "too_early": Rule(
        "`expiresAt` is not after the mail's acceptance and its `sendAt`: it could never be sent.",
        "Set it later, or leave it out: mail then expires 3 days after it was due.",
    ),
    "too_far": Rule(
        "`sendAt` is more than 366 days after the mail's acceptance, or `expiresAt` more than 27 "
        "days after `sendAt` (or the acceptance): what mail is made of is kept no longer. Or a new "
        "`sendAt` is not before the mail's `expiresAt`.",
        "Set it earlier; hand the mail over later.",
    ),
    "type": Rule(
        "The value has another type than the field.", "Send the type that the message names."
    ),
    "unicode": Rule(
        "A text holds half of a surrogate pair (`\\ud800`), which is no character.",
        "Take it out; it often comes from cutting a text within an emoji.",
    ),
    "unique": Rule(
        "An address stands twice in to, cc and bcc (in whatever case), or a header twice.",
        "Name it once.",
    ),
    "unknown_field": Rule(
        "The API does not know a field of this name here.",
        "Leave it out; look for a typing error.",
    ),
    "url_port": Rule("The URL has a port that is not allowed.", "Use 443 or 8443, or none."),
    "url_scheme": Rule("The URL is not of the scheme https.", "Begin it with `https://`."),
    "url_syntax": Rule(
        "The URL cannot be read, is not ASCII, or holds a user name or a fragment.",
        "Correct it; write a host outside ASCII in Punycode.",
    ),
}
