"""The processor's writes: suppression, timeline, status. Every one is harmless to repeat."""

from typing import Any

import msgspec

from mailpipe import failpoints, records, resources, suppression
from mailpipe.addresses import BadAddress, normalised
from mailpipe.aws.table import Refused, Tables
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import insert_into
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.status import TERMINAL_RANKS, Standing
from mailpipe.suppression import SuppressionStatements
from mailpipe.tenants import Retention
from mailpipe.timing import now_ms
from processor.events import Event


class ProcessorStore:
    """What an event changes. Every method raises CallFailed when DynamoDB does not answer."""

    def __init__(
        self, tables: Tables, prefix: str, *, address_hash_key: bytes, retention: Retention
    ) -> None:
        self._tables = tables
        self._statements = EmailStatements(prefix)
        self._suppression = SuppressionStatements(prefix)
        self._prefix = prefix
        self._address_hash_key = address_hash_key
        self._retention = retention

    async def record(self, email_id: str) -> Record | None:
        """The e-mail's record, read consistently."""
        item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
        return None if item is None else records.read(item)

    async def make_missing(self, event: Event) -> None:
        """Our own event carries what a record needs: born as it ended."""
        own, standing = event.own, event.standing
        assert own is not None  # noqa: S101 - only our own events come here
        assert standing is not None  # noqa: S101 - and every one of them is an end
        over_ms = max(event.happened_ms, own.record.send_at or 0)
        born = records.born(own.email_id, own.tenant, own.record)
        del born["open"]
        born |= {
            "status": standing.status,
            "rank": standing.rank,
            "attempt": own.attempt,
            "reason": own.reason,
            "updatedAt": event.happened_ms,
            "ttl": await self._retention.expiry(own.tenant, over_ms),
        }
        await self._tables.write(self._statements.insert(born))

    async def suppress(self, event: Event, record: Record) -> None:
        """No more mail to who bounced for good or complained."""
        if event.suppress is None:
            return
        for text in event.recipients:
            try:
                item = suppression.item_for(
                    self._address_hash_key,
                    record.tenant,
                    text,
                    reason=event.suppress,
                    added_at_ms=event.happened_ms,
                    bounce_type=str(event.details.get("bounceType", "")),
                    bounce_sub_type=str(event.details.get("bounceSubType", "")),
                    source_event=event.hash,
                )
            except BadAddress:
                continue  # we never sent there: nothing of ours to suppress
            fate = await self._tables.write(self._suppression.add(item))
            if isinstance(fate, Refused):
                await self._tables.write(self._suppression.widen(item))
        failpoints.hit("processor.suppressed")

    async def add_to_timeline(self, event: Event, record: Record) -> None:
        """One item per event. SES's Send needs none: the record's `sentAt` holds it."""
        if event.kind == "sent":
            return
        item: records.Attributes = {
            "emailId": event.email_id,
            "eventKey": f"{event.occurred_at}#{event.hash}",
            "type": event.kind,
            "occurredAt": event.occurred_at,
            "recipients": list(event.recipients),
            "details": _json(event.details),
            "tenant": record.tenant,
            "dayKey": resources.day_key(record.tenant, event.occurred_at[:10], event.email_id),
            "ttl": await self._retention.expiry(record.tenant, now_ms()),
        }
        await self._tables.write(insert_into(self._prefix, resources.EMAIL_EVENTS, item))

    async def raise_status(self, event: Event, record: Record) -> None:
        """Raise the mail to what the event proves; a lower or equal rank changes nothing."""
        standing = event.standing
        if standing is None or event.own is not None:
            return
        terminal = standing.terminal
        several = len(record.recipients()) > 1
        if several:
            record, terminal = await self._raise_recipients(event, record, standing)
        applied = standing.rank > record.rank and await self._raise(
            event, record, standing, terminal=terminal
        )
        # A raise that leaves the mail open may come after the one that has closed it: whose last
        # recipient that was is known only now.
        if several and applied != terminal:
            await self._close_if_over(event.email_id)
        if not applied and record.possible_duplicate:
            await self._adopt(event, record)

    async def _adopt(self, event: Event, record: Record) -> None:
        """SES's id of an attempt that nobody has noted: of a mail that may have gone twice both
        have to be known.
        """
        proves = _proves(event)
        if proves and f"a{proves[0]}" not in record.ids:
            await self._tables.write(self._statements.adopt(event.email_id, *proves))

    async def _raise(
        self, event: Event, record: Record, standing: Standing, *, terminal: bool
    ) -> bool:
        """Whether the mail stood lower until now. `terminal`: nothing more is expected of it."""
        at_ms, ttl = now_ms(), None
        if terminal:
            ttl = await self._retention.expiry(record.tenant, record.over_at(at_ms))
        raised = self._statements.raise_to(
            event.email_id,
            standing,
            source=event.hash,
            at_ms=at_ms,
            proves=_proves(event),
            sent_at_ms=event.sent_at_ms if record.sent_at is None else None,
            ttl=ttl,
        )
        return not isinstance(await self._tables.write(raised), Refused)

    async def _raise_recipients(
        self, event: Event, record: Record, standing: Standing
    ) -> tuple[Record, bool]:
        """Raise those the event is about; whether all of the mail's have come to an end.

        The ranks are read after ours is written: of two processors that each write the last but
        one, at least one sees both.
        """
        places = positions(record, event.recipients)
        for place in places:
            await self._tables.write(
                self._statements.raise_recipient(event.email_id, place, standing.rank)
            )
        again = await self.record(event.email_id)
        if again is None:
            raise CallFailed(Kind.IN_DOUBT, "RecordGone", operation="raise")
        return again, _all_ended(again)

    async def _close_if_over(self, email_id: str) -> None:
        record, at_ms = await self.record(email_id), now_ms()
        if record is not None and _all_ended(record):
            ttl = await self._retention.expiry(record.tenant, record.over_at(at_ms))
            standing = Standing(record.status, record.rank, terminal=True)
            await self._tables.write(
                self._statements.close(email_id, standing, at_ms=at_ms, ttl=ttl)
            )


def _all_ended(record: Record) -> bool:
    return all(rank in TERMINAL_RANKS for rank in record.ranks.values())


def _proves(event: Event) -> tuple[int, str] | None:
    """The attempt that the event's tag names, and its SES id: SES has accepted it."""
    if event.attempt is None or event.message_id is None:
        return None
    return event.attempt, event.message_id


def positions(record: Record, addresses: list[str]) -> list[int]:
    """Where these addresses stand among the mail's recipients; all of them when none is named."""
    if not addresses:
        return list(range(len(record.recipients())))
    wanted = {normalised(text) for text in addresses}
    return [
        place
        for place, recipient in enumerate(record.recipients())
        if normalised(recipient) in wanted
    ]


def _json(details: dict[str, Any]) -> str:
    return msgspec.json.encode(details).decode()
