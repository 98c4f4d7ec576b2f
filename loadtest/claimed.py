"""What the proxy in front of the stores saw of mails: who claimed which, and which of SES's answers
a record holds. Pure.

The proxy logs a write when DynamoDB has answered it, whether the process that asked lives or not.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

TABLE = "EmailTracking"


class Claim(NamedTuple):
    """A write that made an attempt somebody's. `t` is in wall seconds."""

    t: float
    replica: str
    email_id: str
    attempt: int


def claims(stores: Iterable[Any]) -> Iterator[Claim]:
    """All that were applied."""
    for line in _applied(stores):
        written = line["set"]
        email_id = written.get("emailId") or line["where"].get("emailId")
        if isinstance(written.get("attempt"), int) and written.get("leaseUntil"):
            yield Claim(line["t"], line["caller"], str(email_id), written["attempt"])


def recorded(stores: Iterable[Any]) -> set[str]:
    """SES's ids that were written to the record of their mail."""
    return {
        str(value)
        for line in _applied(stores)
        for name, value in line["set"].items()
        if name.startswith("ids.")
    }


def _applied(stores: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for line in stores:
        match line:
            case {"kind": "write", "code": None, "table": str(table)} if table.endswith(TABLE):
                yield line
