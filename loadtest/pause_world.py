"""One case of `make prove-pause`, in virtual time: two senders, an account, and mail that waits."""

import asyncio
import time
from typing import Any

from loadtest.pause_cases import DAY_S, Case
from loadtest.pauses import row
from loadtest.virtual import clock
from loadtest.virtual.account import UNLIMITED, Account
from loadtest.virtual.cloud import PREFIX, Cloud
from loadtest.virtual.sender import HASH_KEY, VirtualSender
from mailpipe import records
from mailpipe.bodies import Bodies
from mailpipe.lifecycle import Stop
from mailpipe.messages import Email, EmailMessage, Stream, new_email_id
from mailpipe.resources import BODIES_KEPT_DAYS
from mailpipe.statements import EmailStatements
from mailpipe.testing import RETENTION_S
from mailpipe.timing import iso, now_ms
from sender.settings import SenderSettings

STOPS_AT_S = 3600.0
LOOK_S = 1800.0
SIZES = (300, 300, 10_000, 300, 80_000)
"""Of bodies, in turn: in an item, in an item's body in the bucket, behind a claim check."""
NEVER_S = 365 * DAY_S


class World:
    """A deployment and what came of the case in it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.accepted = dict[str, float]()
        self.account = Account(rate=case.rate, daily=case.daily or UNLIMITED)
        self.cloud = Cloud(
            retention_s=RETENTION_S * case.per_day_s / DAY_S,
            bodies_days=2 if case.plant == "short-bodies" else BODIES_KEPT_DAYS,
            forgets_pauses=case.plant == "pauses-counted",
        )
        parks = case.plant != "not-parked"
        self._senders = [
            VirtualSender(f"s{number}", self.cloud, self.account, settings(case), parks=parks)
            for number in range(case.senders)
        ]
        self._bodies = Bodies(self.cloud.bucket)

    async def run(self) -> None:
        """Until all mail is sent or ended, or the time of the case is over."""
        stop = Stop()
        running = [asyncio.create_task(one.run(stop)) for one in self._senders]
        outside = [asyncio.create_task(self._offer()), asyncio.create_task(self._fail())]
        while time.monotonic() < self.case.until_s and not self._all_over():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        stop.set()
        await asyncio.gather(*running)
        for one in outside:
            one.cancel()
        if stop.failure is not None:
            raise AssertionError(f"{stop.failure} has died")

    def _all_over(self) -> bool:
        over = {email_id for _, email_id in self.account.accepted} | self.cloud.events.ended.keys()
        return len(self.accepted) == self.case.mails and self.accepted.keys() <= over

    async def _offer(self) -> None:
        for number in range(self.case.mails):
            stream: Stream = "transactional" if number % 3 == 0 else "bulk"
            await self._accept(number, "bulk" if self.case.bulk_only else stream)
            await asyncio.sleep(self.case.over_s / self.case.mails)

    async def _accept(self, number: int, stream: Stream) -> None:
        """As a producer does, without looking at the rules."""
        expires_s = self.case.expires_after_s
        message = EmailMessage(
            email_id=new_email_id(),
            tenant="default",
            stream=stream,
            queued_at=iso(now_ms()),
            email=Email(
                to=[f"reader+{number}@example.net"],
                from_="demo@example.com",
                subject=f"Mail {number}",
                body_text="x" * SIZES[number % len(SIZES)],
                expires_at=None if expires_s is None else iso(now_ms() + round(expires_s * 1000)),
            ),
        )
        (fault,) = await self.cloud.lanes[stream].send([await self._bodies.outgoing(message)])
        if fault is not None:
            raise fault
        self.accepted[message.email_id] = time.time()
        if number % 2:  # by REST, which records what it has enqueued
            fields = records.fields_of(message)
            born = records.born(message.email_id, message.tenant, fields)
            await self.cloud.tables.write(EmailStatements(PREFIX).insert(born))

    async def _fail(self) -> None:
        await asyncio.sleep(STOPS_AT_S)
        self._allow(self.case.stops == "")
        await asyncio.sleep(self.case.stops_s)
        self._allow(True)

    def _allow(self, well: bool) -> None:
        if self.case.stops == "account":
            self.account.sending_enabled = well
        if self.case.stops == "set":
            self.account.has_set = well


def settings(case: Case) -> SenderSettings:
    """A sender's, for the case: it looks less often than usual, to save the proof's time."""
    renews = case.plant != "no-renewal"
    return SenderSettings(
        address_hash_key=HASH_KEY,
        trust_sender_id=False,
        bodies_bucket="bodies",
        poll_s=20.0 * case.seldom,
        dig_every_s=60.0,
        board_refresh_s=30.0 * case.seldom,
        quota_refresh_s=30.0 * case.seldom,
        presence_s=100.0 * case.seldom,
        side_lease_s=150.0 * case.seldom,
        due_every_s=60.0 * case.seldom,
        sweep_every_s=600.0 * case.seldom,
        release_every_s=5.0 * case.seldom,
        renew_after_s=case.per_day_s if renews else NEVER_S,
        renew_stopped_s=case.per_day_s / 4 if renews else NEVER_S,
        renew_every_s=600.0 * case.per_day_s / DAY_S,
    )


async def _lived(case: Case) -> World:
    """Its senders are made on the event loop on which they live."""
    world = World(case)
    await world.run()
    return world


def simulated(case: Case) -> dict[str, Any]:
    """The row of the case. Raises what has ended a sender."""
    world = clock.run(_lived(case))
    cloud = world.cloud
    sent, ended = world.account.accepted, cloud.events.ended
    return row(case.name, world.accepted, sent, ended, moves=cloud.moves)
