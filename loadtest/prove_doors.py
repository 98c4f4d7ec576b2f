"""`make prove-doors`: one corpus of inputs through REST, through the SDK and through the queue.

Each door must come to the verdict of the corpus. Judged from outside: the answers, the dead
letters, the API's word, the simulator's log, and what is stored when all has come to rest.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

from rich.console import Console

from infra.local.asking import Answer
from infra.local.cloud import LOCAL_KEY, TENANT
from infra.local.demo import Run
from infra.local.grants import TRUST, add_doors, key_of
from infra.local.mails import Doors, mail_to
from infra.local.observe import Depths
from infra.local.stack import Plan, Stack
from infra.local.stored import dead_letters, stored_bodies, stored_ids
from loadtest import doors, proof
from loadtest.checker import read_log
from loadtest.doors import ACCEPTED, Case, Door, Found, Message, Outside, Request, expand
from loadtest.doors_claimed import Watching, spoil
from loadtest.load import doors_of, quiet
from loadtest.processes import ROOT, exit_code_of

AT_ONCE = 16
QUIET_S = 120.0
BOUNCE_S = 60.0
DUE_S, LOOK_S = 20.0, 0.3
BOUNCES = "bounce+doors"
"""Cases that expect `suppressed` write to it."""
SETTINGS = {
    **TRUST,
    # The corpus has bodies that never come, and mails that come twice at once: the second copy
    # waits for the lease of the first.
    "MAILPIPE_INGEST_BODY_TIMEOUT_S": "8",
    "MAILPIPE_SENDER_SES_TIMEOUT_S": "2",
    "MAILPIPE_SENDER_LEASE_MARGIN_S": "1",
}


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=0, help="so many, chosen by the seed; 0 = all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-doors", help="of build/<name>.json and its folder")
    return parser.parse_args(argv)


def chosen(count: int, seed: int) -> list[Case]:
    """The cases of a run."""
    every = doors.read()
    if not count:
        return every
    quick = [one for one in every if not one.slow]
    choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
    return choice.sample(quick, min(count, len(quick)))


class Asked:
    """One case at one door. `email_id` is ours on the queue, else the door's."""

    def __init__(self, case: Case, door: Door, number: int) -> None:
        self.case = case
        self.door = door
        self.email_id = f"doors-{number}" if door == "queue" else ""
        self.answer = Answer("not asked")
        self._message = case.queue or Message()

    async def ask(self, asker: Watching, mail_id: str) -> None:
        """Ask once, or as often as the case says. `mail_id`: a mail that was sent before."""
        match self.door:
            case "queue":
                for _ in range(self._message.times):
                    await self.put(asker)
                return
            case "sdk":
                self.answer = await asker.sdk(self.case.mail(), self.case.email_id)
            case "rest":
                self.answer = await self._rest(asker, mail_id)
        self.email_id = self.answer.email_id or ""

    async def look(self, asker: Watching, statuses: dict[str, dict[str, Any]]) -> None:
        """What the API says of the mail to its tenant. No queue shows a mail that was to wait for a
        time, and is due.
        """
        for _ in range(round(DUE_S / LOOK_S)):
            status = statuses[self.email_id] = await asker.status(self.email_id, self.key)
            if status.get("status") not in ("pending", "sending"):
                return
            await asyncio.sleep(LOOK_S)

    async def put(self, asker: Watching, *, again: bool = False) -> None:
        """Onto the queue."""
        group = self._message.group
        self.answer = await asker.put(
            doors.envelope(self.case, self.email_id, again=again),
            group=self.email_id if group == doors.ID else group,
            case=self.email_id,
        )

    async def _rest(self, asker: Watching, mail_id: str) -> Answer:
        asked = self.case.rest or Request()
        if asked.together:
            every = [*asked.before, asked]
            *before, last = await asyncio.gather(*(self._one(asker, one, mail_id) for one in every))
        else:
            before = list[Answer]()
            for one in asked.before:
                before.append(await self._one(asker, one, mail_id, _ids(before)))
            if asked.until and not await asker.comes_to(_ids(before)[-1], asked.until, self.key):
                return Answer(f"never {asked.until}", others=_ids(before))
            last = await self._one(asker, asked, mail_id, _ids(before))
        ids = _ids(before)
        if asked.until:
            return last._replace(email_id=ids[-1], others=ids)
        if doors.BEFORE in str(asked.path) and last.verdict == "200":
            return last._replace(verdict="accepted", email_id=ids[-1], others=ids)
        again = last.verdict == "accepted" and last.email_id in ids
        verdict = "accepted again" if again else last.verdict
        return last._replace(verdict=verdict, others=last.others + ids)

    async def _one(
        self, asker: Watching, asked: Request, mail_id: str, before: tuple[str, ...] = ()
    ) -> Answer:
        if asked.bytes:
            return await asker.bytes(doors.parts(asked.bytes))
        headers = {name: expand(text) for name, text in asked.headers.items()}
        path = expand(asked.path).replace(doors.MAIL, mail_id)
        path = path.replace(doors.BEFORE, before[-1] if before else "none")
        body = doors.request_body(asked, self.case.mail())
        return await asker.request(asked.method, path, headers, body)

    @property
    def key(self) -> str:
        """A key of the mail's tenant."""
        if self.case.rest is not None:
            return str(self.case.rest.headers.get("X-API-Key") or LOCAL_KEY)
        tenant = str(self._message.changes.get("tenant", TENANT))
        return LOCAL_KEY if tenant == TENANT else key_of(tenant)

    @property
    def promised(self) -> list[str]:
        """What may be stored and sent: acknowledged, or on the queue and no dead letter."""
        dead = self.door == "queue" and self.case.expected("queue").startswith("dead ")
        ours = self.answer.verdict in ACCEPTED and (not dead or self._message.again)
        return [*self.answer.others, *([self.email_id] if ours else [])]


def _ids(answers: Iterable[Answer]) -> tuple[str, ...]:
    return tuple(one.email_id for one in answers if one.email_id)


class Seen:
    """What became of the mails, seen from outside."""

    def __init__(self, stack: Stack, statuses: dict[str, dict[str, Any]]) -> None:
        self._statuses = statuses
        self._dead = dead_letters(stack)
        lines = [one for one in read_log(stack.ses_log) if one.get("verdict") == "accepted"]
        self.sent = Counter[str](one["tags"]["email_id"] for one in lines)
        self.stored = stored_ids(stack) + stored_bodies(stack)

    def verdict(self, asked: Asked) -> str:
        """The door's, or the sender's on what the door has taken."""
        email_id, said = asked.email_id, asked.answer.verdict
        changed = asked.case.rest is not None and asked.case.rest.until
        if not email_id or (said not in ACCEPTED and not changed):
            return said
        became = doors.final(
            *("accepted" if changed else said, asked.door),
            dead=self._dead.get(email_id),
            status=self._statuses[email_id],
            sent=self.sent[email_id],
        )
        return f"{said}, {became}" if changed else became


async def proved(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """The row of the run, and what is not as it must be."""
    cases = [(case, door) for case in chosen(given.cases, given.seed) for door in case.asked()]
    asked = [Asked(case, door, number) for number, (case, door) in enumerate(cases)]
    plan = Plan(name=given.name, rate=5000, seed=given.seed, settings=SETTINGS)
    async with Stack(plan) as stack, doors_of(stack) as both, Watching(stack) as asker:
        run, depths = Run(stack), Depths(stack)
        await asyncio.to_thread(add_doors, stack)
        await spoil(stack)
        mail_id = await _bounced(both, run)
        await _all(one.ask(asker, mail_id) for one in asked)
        await quiet(run, depths, within_s=QUIET_S)
        again = [one for one in asked if one.case.queue and one.case.queue.again]
        if again:
            await _all(one.put(asker, again=True) for one in again)
            await quiet(run, depths, within_s=QUIET_S)
        statuses = dict[str, dict[str, Any]]()
        await _all(one.look(asker, statuses) for one in asked if one.email_id)
        seen = await asyncio.to_thread(Seen, stack, statuses)
        left = await asyncio.to_thread(depths.read)
        died = stack.died()
    found = [Found(one.case, one.door, seen.verdict(one), one.answer.status) for one in asked]
    outside = Outside(
        stored=seen.stored,
        sent=list(seen.sent),
        promised=[mail_id, *(one for each in asked for one in each.promised)],
        left_in_queues={name: n for name, n in left.items() if n and not name.endswith("-dead")},
        ended=[died] if died else [],
    )
    return doors.judge(found, outside)


async def _bounced(both: Doors, run: Run) -> str:
    """Make an address bounce; the mail that did it."""
    email_id = str((await both.send("rest", mail_to(BOUNCES, 0)))["emailId"])
    async with asyncio.timeout(BOUNCE_S):
        while (await both.status(email_id)).get("status") != "bounced":
            await run.settle(at_least_s=0.3)
    return email_id


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(task: Coroutine[Any, Any, None]) -> None:
        async with limit:
            await task

    await asyncio.gather(*map(one, work))


async def prove(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console = Console()
    row, faults = await proved(given)
    for name, value in row.items():
        console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
    for fault in faults:
        console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=[row], passed=not faults)
    print(f"{'FAILED' if faults else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if faults else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-doors", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
