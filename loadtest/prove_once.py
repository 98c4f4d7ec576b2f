"""`make prove-once`: nothing is lost and nothing is sent twice, wherever a process dies.

Three senders, two processors, two ingest, one notifier; 3,000 mails through both doors at 100 a
second; a `kill -9` each second, at the next instant of the seed (`instants.py`); five cases, each
with a cloud of its own (`once_done.py` says what they are, `once.py` judges them).
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import chain
from typing import Any

import aiohttp
from rich.console import Console

from infra.local.demo import ENDPOINTS, Run
from infra.local.mails import Doors
from infra.local.observe import Depths
from infra.local.stack import SERVICES, Plan, Stack
from loadtest import kills, once, once_cases, once_done, proof
from loadtest.checker import read_log
from loadtest.dying import FAILPOINT, Dying
from loadtest.instants import HITS_PER_S, Decks
from loadtest.load import Load, doors_of, evidence, quiet
from loadtest.once_cases import Durations
from loadtest.processes import ROOT, exit_code_of

REPLICAS = {"ingest": 2, "sender": 3, "processor": 2, "notifier": 1}
QUOTAS = 8
"""SES's quota in multiples of the load: what comes back after a kill comes at once."""
FAILING_S = 2.0
"""So often one endpoint fails a few times, so that there are webhooks to be tried again."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="a,b,c,d,e", help="of these, by commas")
    parser.add_argument("--mails", type=int, default=3_000)
    parser.add_argument("--rate", type=float, default=100.0, help="mails a second")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the protocol's durations; 0.1 in the tests"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-once", help="of build/<name>.json and its folder")
    given = parser.parse_args(argv)
    given.cases = given.cases.split(",")
    if not {*given.cases} <= {*"abcde"}:
        parser.error("the cases are a, b, c, d and e")
    if given.mails < 20 or given.rate <= 0 or not 0.01 <= given.scale <= 1:
        parser.error("at least 20 mails, a rate above 0 and a scale of 0.01 to 1")
    return given


class CaseRun:
    """One case in a stack of its own."""

    def __init__(self, case: str, given: argparse.Namespace, say: Console) -> None:
        self._case, self._given, self._say = case, given, say
        self._durations = Durations(case, given.scale)
        stop_ms = round(self._durations.stop_s * 1000) if case == "e" else None
        self._decks = Decks(given.seed, rate=given.rate, stop_ms=stop_ms)

    async def judged(self) -> tuple[dict[str, Any], list[str]]:
        """Its row, and what of it is not as it must be."""
        armed = {name: self._decks.next(service) for name, service in _replicas()}
        async with Stack(self._plan(armed)) as stack, doors_of(stack) as doors:
            await self._spoil(stack)
            dying = Dying(stack, self._decks, armed=armed, seed=self._given.seed)
            begun_s = time.time()
            async with _beside(dying.run()):
                load, offered_s, processors_s = await self._load(stack, doors, dying)
                await dying.all_back()
                self._tell(f"{len(dying.kills)} killed, {len(load.acks)} mails; waits for rest")
                ended_s = max(processors_s, *(kill.t for kill in dying.kills))
                await self._rest(stack, doors, load, ended_s)
            done = once_done.Done(
                *(self._case, begun_s, offered_s),
                *(self._given.mails, self._given.rate, dying.kills),
                stops=dying.stops,
                lease_s=self._durations.lease_s,
                special=once_cases.special(self._case),
                specials=self._given.mails // once_cases.SPECIALS,
                processors_from=processors_s,
            )
            return await self._judge(stack, doors, load, done)

    def _plan(self, armed: dict[str, str]) -> Plan:
        given = self._given
        return Plan(
            name=f"{given.name}-{self._case}",
            rate=QUOTAS * given.rate,
            daily=1_000_000,
            seed=given.seed,
            endpoints=ENDPOINTS,
            services=tuple(one for one in SERVICES if self._case != "b" or one != "processor"),
            replicas=REPLICAS,
            settings=self._durations.settings(),
            own={
                name: {FAILPOINT: failpoint, "AWS_ACCESS_KEY_ID": name}
                for name, failpoint in armed.items()
            },
        )

    async def _spoil(self, stack: Stack) -> None:
        script = {"faults": once_cases.faults(self._case, self._given.scale)}
        url = f"{stack.ses_url}/_control/faults"
        async with aiohttp.ClientSession() as http, http.put(url, json=script) as answer:
            answer.raise_for_status()

    async def _load(self, stack: Stack, doors: Doors, dying: Dying) -> tuple[Load, float, float]:
        """All mail is acknowledged; when the last was begun, and when the processors came (b)."""
        given, urls = self._given, stack.ingest_urls
        made = once_cases.mails_of(self._case)
        load = Load([doors.at(url) for url in urls], rate=given.rate, seed=given.seed, make=made)
        begun_s = time.monotonic()
        async with _beside(self._unkind(stack, dying)):
            async with load.flowing():
                await load.many_begun(given.mails)
                dying.killing = False
                offered_s = time.time()
            if self._case != "b":
                return load, offered_s, 0.0
            away_s = self._durations.processors_away_s - (time.monotonic() - begun_s)
            await asyncio.sleep(max(0.0, away_s))
            processors_s = time.time()
            await stack.start_service("processor")
            return load, offered_s, processors_s

    async def _unkind(self, stack: Stack, dying: Dying) -> None:
        """An endpoint that fails now and then; senders that stand still (e)."""
        url = f"{stack.receiver_url}/control/outcomes"
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.put(url, json={"status": 500, "times": 3}):
                    pass
                await asyncio.sleep(FAILING_S * self._given.scale)
                if self._case == "e" and dying.killing:
                    await dying.freeze_one(self._durations.stop_s)

    async def _rest(self, stack: Stack, doors: Doors, load: Load, ended_s: float) -> None:
        """Until all mail that SES has not got has ended, as far as it was promised, and the outside
        logs stand still; or for too long.
        """
        within_s = self._durations.after_a_kill_s
        await asyncio.sleep(max(0.0, ended_s + within_s - time.time()))
        run, depths = Run(stack), Depths(stack)
        deadline_s = time.monotonic() + 60 + 5 * within_s
        while True:
            await quiet(run, depths, within_s=max(1.0, deadline_s - time.monotonic()))
            sent = {line["tags"].get("email_id") for line in _accepted(read_log(stack.ses_log))}
            waits = [one["emailId"] for one in load.acks if one["emailId"] not in sent]
            statuses = await doors.statuses(waits)
            waits = [one for one in waits if statuses[one].get("status") in once.UNDER_WAY]
            to_come = 0 if self._case == "c" else await self._events_to_come(stack)
            if not (waits or to_come) or time.monotonic() > deadline_s:
                return
            await asyncio.sleep(1.0)

    async def _events_to_come(self, stack: Stack) -> int:
        """Of mail whose answer was cut, when it was sent late."""
        url = f"{stack.ses_url}/_control/events"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return int((await answer.json())["outstanding"])

    async def _judge(
        self, stack: Stack, doors: Doors, load: Load, done: once_done.Done
    ) -> tuple[dict[str, Any], list[str]]:
        logs = read_log(stack.ses_log), read_log(stack.receiver_log)
        acks = load.acks + kills.adopted(load.acks, *logs, cut=load.cut)
        seen = await evidence(stack, doors, acks)
        left = await asyncio.to_thread(Depths(stack).read)
        found = once.row(done, seen, cut=len(load.cut), left=left)
        found["emails_per_s"] = round(load.rate, 1)
        found["seconds"] = round(time.time() - done.load_from, 1)
        return found, once.short(found, done)

    def _tell(self, sentence: str) -> None:
        self._say.print(f"case {self._case}: {sentence}", markup=False, highlight=False)


def _replicas() -> list[tuple[str, str]]:
    """The name and the service of each."""
    return [
        (service if count == 1 else f"{service}-{number}", service)
        for service, count in REPLICAS.items()
        for number in range(1, count + 1)
    ]


def _accepted(log: list[Any]) -> list[dict[str, Any]]:
    return [one for one in log if isinstance(one, dict) and one.get("verdict") == "accepted"]


@asynccontextmanager
async def _beside(coroutine: Any) -> AsyncIterator[None]:
    """Runs beside the body, which it ends when it fails, and ends with it."""
    body, task = asyncio.current_task(), asyncio.ensure_future(coroutine)
    assert body is not None  # noqa: S101 - this is one
    task.add_done_callback(lambda _: None if task.cancelled() else body.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not task.done():
            raise
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def prove(given: argparse.Namespace) -> int:
    """All cases one after the other; prints what was found, writes the proof."""
    console, rows, wrong = Console(), list[dict[str, Any]](), False
    for case in given.cases:
        found, faults = await CaseRun(case, given, console).judged()
        rows.append(found)
        wrong = wrong or bool(faults)
        for name, value in found.items():
            if name not in ("case", "doubled", "examples", "unproved"):
                console.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
        for one in found["doubled"]:
            console.print(f"  sent {one['accepted']} times: {one['emailId']}", markup=False)
        for sentence in faults:
            console.print(f"  not as it must be: {sentence}", markup=False)
        for example in found["examples"] if faults else ():
            console.print(f"    {example}", markup=False)
    for sentence in once_done.spared(rows, chain.from_iterable(HITS_PER_S.values())):
        console.print(f"  {sentence} this time", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=not wrong)
    print(f"{'FAILED' if wrong else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if wrong else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-once", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
