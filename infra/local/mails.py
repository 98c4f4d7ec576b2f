"""Sample mails, and the two doors through which they go: REST and the SDK."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp

from infra.local.cloud import LOCAL_KEY
from mailpipe import Attachment, Email, Producer

Door = Literal["rest", "sdk"]
DOORS: tuple[Door, ...] = ("rest", "sdk")

OUTCOMES = {"success": 66, "bounce": 12, "complaint": 8, "ooto": 8, "suppressionlist": 6}
"""Local parts of SES's mailbox simulator, by weight in a hundred."""


class Refused(Exception):
    """The REST door answered, and not with 202."""

    def __init__(self, status: int, said: object) -> None:
        super().__init__(f"POST /send-email answered {status}: {said}")
        self.status = status


class Doors:
    """Sends by either door and says when the mail was acknowledged."""

    def __init__(self, session: aiohttp.ClientSession, producer: Producer, ingest: str) -> None:
        self._session = session
        self._producer = producer
        self._ingest = ingest

    def at(self, ingest: str) -> "Doors":
        """The same doors, with another replica of ingest."""
        return Doors(self._session, self._producer, ingest)

    async def send(self, door: Door, mail: dict[str, Any]) -> dict[str, Any]:
        """Send one mail; the acknowledgement: emailId, door, recipients, t (wall seconds). A
        `stream` is the SDK's to take; REST has no such field.
        """
        if door == "rest":
            email_id = await self._by_rest(mail)
        else:
            fields = {"from_": mail["from"], "body_text": mail.get("bodyText")}
            email_id = await self._producer.send(
                Email(
                    to=mail["to"],
                    subject=mail["subject"],
                    body_html=mail.get("bodyHtml"),
                    metadata=mail.get("metadata", {}),
                    send_at=mail.get("sendAt"),
                    expires_at=mail.get("expiresAt"),
                    attachments=[
                        Attachment(
                            filename=one["filename"],
                            content_type=one["contentType"],
                            content=one["content"],
                        )
                        for one in mail.get("attachments", [])
                    ],
                    **fields,
                ),
                stream=mail.get("stream", "transactional"),
            )
        return {"emailId": email_id, "door": door, "recipients": mail["to"], "t": time.time()}

    async def _by_rest(self, mail: dict[str, Any]) -> str:
        headers = {"X-API-Key": LOCAL_KEY}
        url = f"{self._ingest}/send-email"
        async with self._session.post(url, json=mail, headers=headers) as answer:
            said = await answer.json()
            if answer.status != 202:
                raise Refused(answer.status, said)
            return str(said["emailId"])

    async def status(self, email_id: str) -> dict[str, Any]:
        """What the API says of a mail."""
        headers = {"X-API-Key": LOCAL_KEY}
        async with self._session.get(
            f"{self._ingest}/status/{email_id}", headers=headers
        ) as answer:
            return dict(await answer.json())

    async def statuses(self, email_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What the API says of many mails, sixteen at a time."""
        limit = asyncio.Semaphore(16)

        async def one(email_id: str) -> tuple[str, dict[str, Any]]:
            async with limit:
                return email_id, await self.status(email_id)

        return dict(await asyncio.gather(*map(one, email_ids)))


@asynccontextmanager
async def open_doors(ingest: str) -> AsyncIterator[Doors]:
    """Both doors; the SDK finds the queues by this process's AWS environment."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session,
        Producer() as producer,
    ):
        yield Doors(session, producer, ingest)


def mails(count: int, seed: int, *, first: int = 0) -> list[dict[str, Any]]:
    """So many mails with simulated outcomes, numbered from `first`; every recipient is another."""
    choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
    outcomes = choice.choices(list(OUTCOMES), list(OUTCOMES.values()), k=count)
    # Each outcome stands at least once among any twenty.
    for index, outcome in zip(range(0, count, 4), itertools.cycle(OUTCOMES), strict=False):
        outcomes[index] = outcome
    return [mail_to(f"{outcome}+{index}", index) for index, outcome in enumerate(outcomes, first)]


def mail_to(local_part: str, number: int) -> dict[str, Any]:
    """A plain mail to an address of the mailbox simulator."""
    return {
        "to": [f"{local_part}@simulator.amazonses.com"],
        "from": "mailpipe demo <demo@example.com>",
        "subject": f"Order {number} shipped",
        "bodyText": f"Hello, order {number} is on its way.",
        "bodyHtml": f"<p>Hello, order <b>{number}</b> is on its way.</p>",
        "metadata": {"order": str(number)},
    }


async def send_paced(
    doors: Doors, batch: list[dict[str, Any]], *, rate: float
) -> list[dict[str, Any]]:
    """Send at `rate` mails a second, alternating between the doors; the acknowledgements."""
    loop = asyncio.get_running_loop()
    begun, sending = loop.time(), list[asyncio.Task[dict[str, Any]]]()
    for index, mail in enumerate(batch):
        await asyncio.sleep(max(0.0, begun + index / rate - loop.time()))
        sending.append(asyncio.create_task(doors.send(DOORS[index % 2], mail)))
    return list(await asyncio.gather(*sending))
