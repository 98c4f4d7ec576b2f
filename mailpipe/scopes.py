"""Scopes: which mail waits together when something is paused. Pure.

A scope is `account`, `set#<configuration set>`, `identity#<address or domain>`,
`domain#<From domain>` or `tenant#<tenant>#<stream>`. `sender/scopes.py` says which answer of SES
pauses which.
"""

from collections.abc import Iterable

from mailpipe.addresses import Address, BadAddress, parse
from mailpipe.board import ACCOUNT
from mailpipe.records import Record
from mailpipe.resources import CONFIGURATION_SET

SET = f"set#{CONFIGURATION_SET}"


def scopes_of(tenant: str, stream: str, sender: str, recipients: Iterable[str]) -> tuple[str, ...]:
    """Every scope that such a mail is in. An address that cannot be read is in none."""
    found = [ACCOUNT, SET, stream_scope(tenant, stream)]
    if (from_ := parsed(sender)) is not None:
        found += [identity(from_.spec), identity(from_.domain), f"domain#{from_.domain}"]
    # In the sandbox recipients must be verified too.
    specs = [one.spec for one in map(parsed, recipients) if one is not None]
    return tuple(dict.fromkeys([*found, *map(identity, specs)]))


def scopes_of_record(record: Record) -> tuple[str, ...]:
    """The same of a mail that was read."""
    return scopes_of(record.tenant, record.stream, record.from_, record.recipients())


def stream_scope(tenant: str, stream: str) -> str:
    """All mail of a tenant's stream."""
    return f"tenant#{tenant}#{stream}"


def identity(name: str) -> str:
    """Mail that SES allows by this address or domain."""
    return f"identity#{name.casefold()}"


def parsed(text: str) -> Address | None:
    """None: it cannot be read."""
    try:
        return parse(text)
    except BadAddress:
        return None
