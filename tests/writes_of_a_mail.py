"""Every form of statement that is ever sent, and the writes of two mails' lives, one by one.

`docs/decisions/0004-partiql-batches.md` prints both; tests hold the document to them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast
from unittest import mock

import msgspec

from mailpipe import records, resources, suppression
from mailpipe.aws.table import Applied, Tables
from mailpipe.endpoints import Endpoint
from mailpipe.messages import RecordFields, own_event
from mailpipe.partiql import Statement, delete_from, insert_into
from mailpipe.records import NO_EVENT, Attributes, Value
from mailpipe.statements import EmailStatements
from mailpipe.status import DELIVERED, EXPIRED, FAILED, HARD_BOUNCED, SENT, UNKNOWN, Standing
from mailpipe.suppression import SuppressionStatements
from mailpipe.tenants import Retention, Tenants
from mailpipe.timing import iso, parse_iso
from processor.events import Event, read
from processor.store import ProcessorStore

SAMPLES = Path(__file__).parent / "data" / "ses_events"
PREFIX = "mailpipe-"
WRITES = EmailStatements(PREFIX)
LIST = SuppressionStatements(PREFIX)
EMAIL_ID = "01930000-0000-7000-8000-000000000001"
TENANT, TOKEN, OTHER_TOKEN = "default", "5f1d7c0a9b3e2468", "0123456789abcdef"
MESSAGE_ID = "0100019a2f6b3c4d-1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d-000000"
AT_MS, TTL = 1_763_633_732_901, 1_779_185_733
ANA, BEN = "ana@example.net", "ben@example.net"


class Write(NamedTuple):
    """One write of a life: the statement, and the item before and after it, as plain values."""

    name: str
    table: str
    statement: Statement
    before: Attributes | None
    after: Attributes | None
    applied: bool = True


class _Recorder:
    """Stands for the tables: every write is kept and applied, nothing is read."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    async def write(self, statement: Statement) -> Applied:
        self.statements.append(statement)
        return Applied()

    async def get(self, table: str, key: records.Attributes) -> None:
        """There is no item of the tenant: the usual retention."""


def fields(*to: str) -> RecordFields:
    """What a record keeps of an everyday mail."""
    return RecordFields(
        stream="transactional",
        created_at=AT_MS,
        from_="Acme <news@mail.example.com>",
        to=list(to),
        subject="Order 4711 shipped",
        metadata={"userId": "12345", "orderId": "4711"},
        tags={"campaign": "shipping"},
    )


def born(*to: str) -> Attributes:
    """What ingest inserts for such a mail."""
    return records.born(EMAIL_ID, TENANT, fields(*to))


def record_of(*to: str, **changes: Value) -> Attributes:
    """The record of such a mail as ingest makes it."""
    return records.USUAL | born(*to) | changes


def event(sample: str) -> Event:
    """A sample of SES's events, read."""
    made = read((SAMPLES / f"{sample}.json").read_text())
    assert isinstance(made, Event)
    return made


async def of_processor(sample: str) -> list[Statement]:
    """What the processor writes of this event besides the status: suppression, timeline."""
    recorder, record = _Recorder(), records.read(record_of(ANA))
    with mock.patch("processor.store.now_ms", return_value=AT_MS):
        store = _store(recorder)
        await store.suppress(event(sample), record)
        await store.add_to_timeline(event(sample), record)
    return recorder.statements


async def _made_missing() -> Statement:
    recorder = _Recorder()
    own = own_event(
        *(EMAIL_ID, TENANT),
        status=FAILED.status,
        attempt=1,
        at=iso(AT_MS),
        reason="MessageRejected",
        record=fields(ANA),
    )
    made = Event(
        hash=own.id,
        kind=own.status,
        webhook_type=None,
        email_id=EMAIL_ID,
        tenant=TENANT,
        occurred_at=own.at,
        happened_ms=parse_iso(own.at),
        standing=FAILED,
        own=own,
    )
    await _store(recorder).make_missing(made)
    return recorder.statements[0]


def _store(recorder: _Recorder) -> ProcessorStore:
    tables = cast(Tables, recorder)
    retention = Retention(Tenants(tables), usual_days=180)
    return ProcessorStore(tables, PREFIX, address_hash_key=b"k" * 32, retention=retention)


async def forms() -> dict[str, Statement]:
    """All of them by name, in the order of a mail's life."""
    suppressed, timeline = await of_processor("bounce")
    listed = suppression.item_for(b"k" * 32, TENANT, ANA, reason="bounce", added_at_ms=AT_MS)
    place = suppression.key_of(b"k" * 32, TENANT, ANA)
    address = Endpoint(tenant=TENANT, endpoint="ep_1", url="https://example.com/", secrets=["s"])
    endpoint: Attributes = msgspec.to_builtins(address)
    return {
        "born": WRITES.insert(born(ANA)),
        "born by a sender, with a claim": WRITES.insert(
            born(ANA) | {"attempt": 1, "token": TOKEN, "leaseUntil": AT_MS}
        ),
        "stub of a further recipient, before the record": _stub().statement,
        "born at its end": await _made_missing(),
        "claim": _claim(),
        "release": WRITES.release(EMAIL_ID, TOKEN),
        "take-over": WRITES.take_over(
            EMAIL_ID,
            dead_token=OTHER_TOKEN,
            attempts=1,
            doubts=1,
            token=TOKEN,
            lease_until_ms=AT_MS,
            now_ms=AT_MS,
        ),
        "end, in doubt": WRITES.end_in_doubt(
            EMAIL_ID,
            UNKNOWN,
            dead_token=OTHER_TOKEN,
            attempts=1,
            doubts=1,
            reason="no event proves it",
            at_ms=AT_MS,
            ttl=TTL,
        ),
        "sent": _sent(),
        "end": _end(EXPIRED),
        "end, badly": _end(FAILED),
        "reschedule": WRITES.reschedule(records.read(record_of(ANA)), AT_MS, at_ms=AT_MS),
        "reschedule, of a scheduled mail": WRITES.reschedule(
            records.read(record_of(ANA, sendAt=AT_MS)), AT_MS, at_ms=AT_MS
        ),
        "keep_stub": WRITES.keep_stub(f"{EMAIL_ID}#1", ttl=TTL),
        "raise_recipient": WRITES.raise_recipient(EMAIL_ID, 0, DELIVERED.rank),
        "raise_to": _raise_to(SENT, ttl=None),
        "raise_to, the sender has not said sent": _raise_to(SENT, sent_at_ms=AT_MS, ttl=None),
        "raise_to, finished": _raise_to(DELIVERED),
        "raise_to, finished badly": _raise_to(HARD_BOUNCED),
        "adopt": WRITES.adopt(EMAIL_ID, 1, "ses-1"),
        "close": WRITES.close(EMAIL_ID, DELIVERED, at_ms=AT_MS, ttl=TTL),
        "close, badly": WRITES.close(EMAIL_ID, HARD_BOUNCED, at_ms=AT_MS, ttl=TTL),
        "give_up": WRITES.give_up(records.read(record_of(ANA)), UNKNOWN, reason="why", at_ms=AT_MS),
        "close, SES says no more": WRITES.close(
            EMAIL_ID, SENT, at_ms=AT_MS, ttl=TTL, outcome=NO_EVENT
        ),
        "event": timeline,
        "suppression": suppressed,
        "suppression, for more than bulk mail": LIST.widen(listed),
        "suppression, by hand": LIST.make_manual(place, scope="all", seen="bulk", at_ms=AT_MS),
        "suppression, taken back": LIST.remove(place),
        "endpoint": insert_into(PREFIX, resources.WEBHOOK_ENDPOINTS, endpoint),
        "endpoint, removed": delete_from(
            PREFIX, resources.WEBHOOK_ENDPOINTS, {"tenant": TENANT, "endpoint": "ep_1"}
        ),
    }


async def lives() -> dict[str, list[Write]]:
    """The writes of a mail to one recipient and of one to two, both delivered."""
    (timeline,) = await of_processor("delivery")
    events = resources.EMAIL_EVENTS
    delivery = Write("event", events, timeline, None, _applied(timeline, {}))
    one = [
        ("claim", _claim()),
        ("sent", _sent()),
        ("raise_to, finished", _raise_to(DELIVERED)),
    ]
    two = [
        ("claim", _claim()),
        ("sent", _sent()),
        ("raise_recipient", WRITES.raise_recipient(EMAIL_ID, 0, DELIVERED.rank)),
        ("raise_to", _raise_to(DELIVERED, ttl=None)),
        ("raise_recipient", WRITES.raise_recipient(EMAIL_ID, 1, DELIVERED.rank)),
        ("close", WRITES.close(EMAIL_ID, DELIVERED, at_ms=AT_MS, ttl=TTL)),
    ]
    single, double = list(_of([ANA], one)), list(_of([ANA, BEN], two))
    return {
        "one recipient": [*single[:3], delivery, *single[3:]],
        "two recipients": [_stub(), *double[:3], delivery, *double[3:5], delivery, *double[5:]],
    }


def refusals() -> list[Write]:
    """What is refused in an everyday way: bills by the item all the same."""
    record, again = record_of(ANA), WRITES.insert(born(ANA))
    tracking, claimed = resources.EMAIL_TRACKING, _applied(_claim(), record)
    return [
        Write("claim, no record yet", tracking, _claim(), None, None, applied=False),
        Write("claim, held by another", tracking, _claim(), claimed, claimed, applied=False),
        Write("born, twice", tracking, again, record, record, applied=False),
    ]


def _of(recipients: list[str], statements: list[tuple[str, Statement]]) -> Iterator[Write]:
    tracking, record = resources.EMAIL_TRACKING, record_of(*recipients)
    yield Write("born", tracking, WRITES.insert(born(*recipients)), None, record)
    for name, statement in statements:
        after = _applied(statement, record)
        yield Write(name, tracking, statement, record, after)
        record = after


def _applied(statement: Statement, before: Attributes) -> Attributes:
    """The item after the statement, whose condition is taken to hold."""
    values, item = iter(statement.parameters), _copy(before)
    if statement.text.startswith("INSERT"):
        return dict(zip(re.findall(r"'(\w+)': \?", statement.text), values, strict=True))
    changes, _, _ = statement.text.partition(" WHERE ")
    for verb, path in re.findall(r'(SET|REMOVE) ((?:\.?"\w+")+)', changes):
        *parents, name = re.findall(r"\w+", path)
        place = item
        for parent in parents:
            inner = place[parent]
            assert isinstance(inner, dict)
            place = inner
        if verb == "SET":
            place[name] = next(values)
        else:
            place.pop(name, None)
    return item


def _copy(item: Attributes) -> Attributes:
    return {
        name: _copy(value) if isinstance(value, dict) else value for name, value in item.items()
    }


def _stub() -> Write:
    (stub,) = records.stubs(EMAIL_ID, TENANT, fields(ANA, BEN), now_ms=AT_MS, retention_days=180)
    return Write("stub", resources.EMAIL_TRACKING, WRITES.insert_stub(stub), None, stub)


def _claim() -> Statement:
    return WRITES.claim(
        EMAIL_ID, TENANT, attempts=0, version=0, fingerprint=None, token=TOKEN, lease_until_ms=AT_MS
    )


def _sent() -> Statement:
    return WRITES.sent(EMAIL_ID, 1, MESSAGE_ID, at_ms=AT_MS)


def _end(standing: Standing) -> Statement:
    return WRITES.end(EMAIL_ID, standing, token=TOKEN, reason="why", at_ms=AT_MS, ttl=TTL)


def _raise_to(
    standing: Standing, *, sent_at_ms: int | None = None, ttl: int | None = TTL
) -> Statement:
    return WRITES.raise_to(
        *(EMAIL_ID, standing),
        source=event("delivery").hash,
        at_ms=AT_MS,
        proves=(1, MESSAGE_ID),
        sent_at_ms=sent_at_ms,
        ttl=ttl,
    )
