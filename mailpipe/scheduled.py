"""Mail that waits for its `sendAt`: what its item in `DueItems` is called, so that whoever moves
the mail to another time finds it. Pure.

The record says when the mail goes; an item only carries the message there. So a copy of it at
another time is harmless: whoever receives it looks at the record.
"""

import msgspec

from mailpipe import resources
from mailpipe.parking import DIGITS, KEPT_S, MINUTE_MS, Parked
from mailpipe.records import Attributes
from mailpipe.resources import shard


def scheduled_name(tenant: str, email_id: str) -> str:
    """What the item of a mail that waits for its `sendAt` is called."""
    return f"{tenant}.{email_id}"


def email_id_of(name: str) -> str:
    """Of the mail whose item is called so; no id has a dot."""
    return name.partition(".")[2]


def key_of_time(name: str, at_ms: int) -> Attributes:
    """Where an item called so lies that waits for this time."""
    waits_for = resources.waits_for_time(at_ms // MINUTE_MS, shard(name))
    return {"waitsFor": waits_for, "dueKey": f"{at_ms:0{DIGITS}d}#{name}"}


def moved(parked: Parked, at_ms: int) -> Parked:
    """The same, waiting for another time."""
    key = key_of_time(parked.message_id, at_ms)
    return msgspec.structs.replace(
        parked,
        waits_for=str(key["waitsFor"]),
        due_key=str(key["dueKey"]),
        ttl=at_ms // 1000 + KEPT_S,
    )
