"""Messages that wait outside their queue: their items in `DueItems`, and back again. Pure.

A hidden message counts against what a queue may have in flight (120,000), each return raises its
receive count, and retention deletes it in the end (SQS Developer Guide, "Amazon SQS message
quotas"). So what waits for a condition, or for longer, lies in a table.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mailpipe import origins, resources
from mailpipe.aws.queue import MAX_ATTRIBUTES, MAX_DELAY_S, Outgoing, Received, weight
from mailpipe.messages import MAX_MESSAGE_BYTES, group_of
from mailpipe.outcomes import Park, Retry
from mailpipe.records import Attributes
from mailpipe.resources import QUEUES, shard
from mailpipe.timing import parse_iso

PROBE = "probe"
"""Attribute of a message that tries whether the scope it names may go on."""
PAUSED_MS = "paused_ms"
"""Attribute of a message: how long it has waited for scopes, in all."""
IN_DOUBT = "in_doubt"
"""Attribute of a mail that was in doubt: it is looked at before anything is done for it."""
SCHEDULED = "scheduled"
"""Attribute of a message that has waited for the time in its mail's record: that is looked at
before anything is done, and the message comes a little early rather than late."""
OURS = frozenset({PROBE, PAUSED_MS, IN_DOUBT, SCHEDULED, origins.ATTRIBUTE})

MAX_INLINE_BYTES = 4_096
"""Of a body in an item, where there is a bucket: each KB of an item costs a write unit."""
MAX_ITEM_BODY_BYTES = 350_000
"""Of a body in an item, where there is none; an item holds 400 KB (DynamoDB Developer Guide,
"Service, account, and table quotas")."""
KEPT_S = resources.BODIES_KEPT_DAYS * 86_400
"""How long an item is kept beyond its time: as long as its body."""
WAITS_AT_MOST_S = resources.WAITS_AT_MOST_DAYS * 86_400
SET_ASIDE = "set-aside"
"""Partition of what can never go on, for a person to look at."""

MINUTE_MS = 60_000
DIGITS = 15


class Waits(NamedTuple):
    """How messages wait: the settings of `due.py`, in seconds."""

    hide_at_most_s: float = MAX_DELAY_S
    """Who waits longer is parked, not hidden."""
    fresh_s: float = 86_400
    """An older message that cannot go now is sent anew: a new clock for retention."""
    soon_s: float = 60
    """What is due within it is sent at once, with a delay."""
    settle_s: float = 120
    """A minute that long over, and empty, stays empty: so late a put may come, clocks included."""


class Parked(Struct, rename="camel", kw_only=True):
    """An item of `DueItems`. Times are epoch ms; `sent_at` is the message's own, `message_id` the
    item's name where it has one.
    """

    waits_for: str
    due_key: str
    queue: str
    message_id: str
    body: str | None
    body_key: str | None = None
    attributes: dict[str, str]
    scope: str | None
    reason: str
    receives: int
    sent_at: int
    parked_at: int
    ttl: int

    @property
    def key(self) -> Attributes:
        """Its key in the table."""
        return {"waitsFor": self.waits_for, "dueKey": self.due_key}

    @property
    def at_ms(self) -> int:
        """When it is due; of what waits for a scope: when it was accepted."""
        return int(self.due_key.split("#")[-2])

    @property
    def minute(self) -> int:
        """Of what waits for a time: the minute (since 1970) in which it is looked for."""
        return int(self.waits_for.split("#")[1])

    def in_minute(self, minute: int) -> "Parked":
        """The same, looked for in another minute."""
        number = shard(self.message_id)
        return msgspec.structs.replace(self, waits_for=resources.waits_for_time(minute, number))

    @property
    def bytes(self) -> int:
        """At most so many characters has its body."""
        return MAX_MESSAGE_BYTES if self.body is None else len(self.body)


def item_of(
    message: Received, queue: str, park: Park, *, now_ms: int, body_key: str | None
) -> Parked:
    """What keeps a message while it waits. Its key is fixed by the message and what it waits for,
    so that a repeat is the same item. `body_key`: where the body lies, None: in the item.

    What the message is released as is sent by us: who had sent it before goes with it.
    """
    name = park.name or message.message_id
    number = shard(name)
    if park.scope is not None:
        waits_for = resources.waits_for_scope(park.scope, number)
        at_ms = _accepted_ms(message)
        due_key = f"{queue}#{at_ms:0{DIGITS}d}#{name}"
    else:
        at_ms = park.due_ms or now_ms
        # A minute that is over may have been passed by who releases what is due.
        waits_for = resources.waits_for_time(max(at_ms, now_ms) // MINUTE_MS, number)
        due_key = f"{at_ms:0{DIGITS}d}#{name}"
    return Parked(
        waits_for=waits_for,
        due_key=due_key,
        queue=queue,
        message_id=name,
        body=message.body if body_key is None else None,
        body_key=body_key,
        attributes=_attributes_of(message, in_doubt=park.in_doubt),
        scope=park.scope,
        reason=park.reason[:256],
        receives=message.receives,
        sent_at=message.sent_at_ms,
        parked_at=now_ms,
        ttl=max(at_ms, now_ms) // 1000 + KEPT_S,
    )


def attributes_of(parked: Parked) -> Attributes:
    """The item as the table takes it."""
    found: Attributes = msgspec.to_builtins(parked)
    return {name: value for name, value in found.items() if value is not None}


def parked_of(item: Attributes) -> Parked | None:
    """None: it is none of ours."""
    try:
        parked = msgspec.convert({"body": None, "scope": None, **item}, Parked)
    except msgspec.ValidationError:
        return None
    return parked if re.search(r"(^|#)\d{1,15}#[^#]*$", parked.due_key) else None


def aside_of(item: Attributes, why: str, *, now_ms: int) -> Attributes:
    """The item as it is set aside: whole, and kept as long as if it had come now."""
    aside: Attributes = {"waitsFor": SET_ASIDE, "waitedFor": item["waitsFor"], "why": why}
    return item | aside | {"ttl": now_ms // 1000 + KEPT_S}


def portions(parked: Iterable[Parked], most_bytes: int) -> Iterator[list[Parked]]:
    """In order, and in each no more than may be in memory at a time (a single one may be more)."""
    portion, weight = list[Parked](), 0
    for one in parked:
        if portion and weight + one.bytes > most_bytes:
            yield portion
            portion, weight = [], 0
        portion.append(one)
        weight += one.bytes
    if portion:
        yield portion


def released(parked: Parked, body: str, *, now_ms: int, probe: str | None = None) -> Outgoing:
    """The message as it goes back to its queue, delayed until it is due. `probe`: the scope that it
    is to try.
    """
    kept = (origins.ATTRIBUTE, IN_DOUBT, SCHEDULED)
    ours = {name: one for name, one in parked.attributes.items() if name in kept}
    delay_ms = 0
    waited_ms = paused_ms(parked.attributes)
    if parked.scope is not None:
        waited_ms += max(0, now_ms - parked.parked_at)
    else:
        delay_ms = max(0, parked.at_ms - now_ms)
    if waited_ms:
        ours[PAUSED_MS] = str(waited_ms)
    if probe is not None:
        ours[PROBE] = probe
    return _outgoing(body, parked.attributes, ours, delay_s=delay_of(parked.attributes, delay_ms))


def delay_of(attributes: Mapping[str, str], delay_ms: int) -> int:
    """Whole seconds, as SQS takes them: fewer for scheduled mail, else more."""
    whole = delay_ms // 1000 if SCHEDULED in attributes else -(-delay_ms // 1000)
    return min(MAX_DELAY_S, max(0, whole))


def scheduled(message: Received) -> Received:
    """The message, marked as one that waits for the time in its mail's record."""
    return replace(message, attributes={**message.attributes, SCHEDULED: "1"})


def copy_of(message: Received, *, delay_s: int = 0, in_doubt: bool = False) -> Outgoing:
    """The same message anew, with a new clock and nothing received yet. It is sent by us, so who
    has sent it before goes with it.
    """
    attributes = _attributes_of(message, in_doubt=in_doubt)
    ours = {name: one for name, one in attributes.items() if name in OURS}
    return _outgoing(message.body, attributes, ours, delay_s=delay_s)


def paused_ms(attributes: Mapping[str, str]) -> int:
    """How long the message has waited for scopes, as it says; no longer than anything can."""
    told = attributes.get(PAUSED_MS)
    if told is None:
        return 0
    number = int(told) if told.isascii() and told.isdigit() and len(told) <= DIGITS else 0
    return min(number, KEPT_S * 1000)


def often(queue: str) -> int:
    """Receives after which redrive comes near: it only ever means a crash loop."""
    return QUEUES[queue].max_receive_count // 4


def instead_of(
    retry: Retry, message: Received, queue: str, waits: Waits, *, now_ms: int
) -> Park | None:
    """What is done in place of hiding a message; None: it may be hidden.

    Long waits, messages received so often that redrive comes near (it only ever means a crash
    loop), and those that are no longer fresh wait outside.
    """
    old = now_ms - message.sent_at_ms >= waits.fresh_s * 1000
    if retry.after_s <= waits.hide_at_most_s and message.receives < often(queue) and not old:
        return None
    return Park(None, retry.reason, due_ms=now_ms + round(retry.after_s * 1000))


def range_of(queue: str) -> tuple[str, str]:
    """Between these lie the due keys of what waits for a scope and came from this queue."""
    return f"{queue}#", f"{queue}#~"


def oldest(pages: Iterable[tuple[Sequence[Parked], bool]], most: int) -> list[Parked]:
    """The first `most` of all shards, in order. Each page is the begin of a shard and whether the
    shard goes on after it: nothing is taken that may come after something unread.
    """
    pages = list(pages)
    unread = [items[-1].due_key for items, goes_on in pages if goes_on and items]
    end = min(unread, default=None)
    found = sorted((one for items, _ in pages for one in items), key=lambda one: one.due_key)
    return [one for one in found if end is None or one.due_key <= end][:most]


class _Accepted(Struct, rename="camel"):
    queued_at: str | None = None


def _accepted_ms(message: Received) -> int:
    """When the door took it, as the message says; never after SQS has. A message that was released
    keeps its place that way. A scheduled one is as old as the time for which it came.
    """
    if SCHEDULED in message.attributes:
        return max(0, message.sent_at_ms - paused_ms(message.attributes))
    try:
        told = msgspec.json.decode(message.body, type=_Accepted).queued_at or ""
        at_ms = parse_iso(told)
    except (ValueError, OverflowError, RecursionError):
        return message.sent_at_ms
    return max(0, min(at_ms, message.sent_at_ms))


def _attributes_of(message: Received, *, in_doubt: bool) -> dict[str, str]:
    kept = {name: one for name, one in message.attributes.items() if name != PROBE}
    if in_doubt:
        kept[IN_DOUBT] = "1"
    # Where the queue does not tell, nobody looks; "unknown" would be held against it later.
    if message.sender_id is not None:
        kept[origins.ATTRIBUTE] = origins.extended(message.attributes, message.sender_id)
    return kept


def _outgoing(
    body: str, attributes: Mapping[str, str], ours: dict[str, str], *, delay_s: int
) -> Outgoing:
    """With as many attributes of others as SQS takes beside ours."""
    foreign = [(name, one) for name, one in attributes.items() if name not in OURS]
    message = Outgoing(
        body,
        group=group_of(body),
        delay_s=delay_s,
        attributes=dict(foreign[: MAX_ATTRIBUTES - len(ours)]) | ours,
    )
    return message if weight(message) <= MAX_MESSAGE_BYTES else replace(message, attributes=ours)
