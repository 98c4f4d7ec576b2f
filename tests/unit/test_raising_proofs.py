"""An event proves which attempt SES has accepted; what the record knows already is not written."""

from typing import cast

import msgspec
import pytest

from mailpipe import records
from mailpipe.aws.table import Applied, Tables
from mailpipe.messages import RecordFields
from mailpipe.partiql import Statement
from mailpipe.status import DELIVERED
from mailpipe.tenants import Retention, Tenants
from processor.events import Event
from processor.store import ProcessorStore

AT_MS = 1_795_514_401_000


class Writes:
    """Notes what is written; there is no item of the tenant."""

    def __init__(self) -> None:
        self.statements = list[Statement]()

    async def write(self, statement: Statement) -> Applied:
        """It is carried out."""
        self.statements.append(statement)
        return Applied()

    async def get(self, table: str, key: records.Attributes) -> None:
        """None."""


@pytest.mark.parametrize(
    ("known", "written"),
    [({}, True), ({"a1": "ses-1"}, False), ({"a1": "ses-0"}, True), ({"a2": "ses-1"}, True)],
)
async def test_the_id_of_an_attempt_is_written_once(known: dict[str, str], written: bool) -> None:
    writes = Writes()
    tables = cast(Tables, writes)
    retention = Retention(Tenants(tables), usual_days=90)
    store = ProcessorStore(tables, "p-", address_hash_key=b"k" * 32, retention=retention)
    fields = RecordFields(stream="bulk", created_at=AT_MS, from_="a@example.com", to=["b@x.net"])
    born = records.read(records.born("e1", "default", fields))
    delivery = Event(
        hash="h",
        kind="delivery",
        webhook_type="email.delivered",
        email_id="e1",
        tenant="default",
        occurred_at="2026-11-24T10:00:01.000Z",
        happened_ms=AT_MS,
        standing=DELIVERED,
        recipients=["b@x.net"],
        attempt=1,
        message_id="ses-1",
    )
    await store.raise_status(delivery, msgspec.structs.replace(born, ids=known))
    (raised,) = writes.statements
    assert ('"ids"."a1"' in raised.text, "ses-1" in raised.parameters) == (written, written)
