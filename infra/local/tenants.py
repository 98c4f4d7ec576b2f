"""Several tenants at the local cloud, each with a producer of its own."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from infra.local.cloud import clients
from mailpipe import Email, Producer, resources

_numbers = itertools.count()


class Tenant:
    """Sends plain mails to addresses that SES's mailbox simulator delivers."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def send(self) -> dict[str, Any]:
        """One urgent mail; the acknowledgement: emailId and t (wall seconds)."""
        email_id = await self._producer.send(_mail())
        return {"emailId": email_id, "t": time.time()}

    async def queue(self, count: int) -> frozenset[str]:
        """A campaign of so many bulk mails; their ids, when all are on the queue."""
        many = self._producer.send_many([_mail() for _ in range(count)], stream="bulk")
        return frozenset([str(fate.email_id) async for fate in many])


def _mail() -> Email:
    number = next(_numbers)
    return Email(
        to=[f"success+{number}@simulator.amazonses.com"],
        from_="mailpipe <demo@example.com>",
        subject=f"Order {number} shipped",
        body_text=f"Hello, order {number} is on its way.",
    )


@asynccontextmanager
async def open_tenants(cloud_url: str, prefix: str, *names: str) -> AsyncIterator[list[Tenant]]:
    """These tenants, allowed to send. The SDK finds the queues by this process's environment."""
    dynamodb = clients(cloud_url)("dynamodb")
    table = resources.physical(prefix, resources.ACCESS)
    async with AsyncExitStack() as opened:
        tenants = list[Tenant]()
        for name in names:
            item = {"kind": {"S": "tenant"}, "id": {"S": name}, "enabled": {"BOOL": True}}
            await asyncio.to_thread(dynamodb.put_item, TableName=table, Item=item)
            producer = await opened.enter_async_context(Producer(tenant=name, prefix=prefix))
            tenants.append(Tenant(producer))
        yield tenants
