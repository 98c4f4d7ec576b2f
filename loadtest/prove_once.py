"""`make prove-once`: nothing is lost and nothing is sent twice, wherever a process dies.

Three senders, two processors, two ingest, one notifier; 3,000 mails through both doors at 100 a
second; a `kill -9` each second, at the next instant of the seed (`instants.py`); five cases, each
with a cloud of its own (`once_done.py` says what they are, `once.py` judges them).
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
    parser.add_argument(
        "--specials", type=int, default=once_cases.SPECIALS, help="one mail of so many is spoilt"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="prove-once", help="of build/<name>.json and its folder")
    given = parser.parse_args(argv)
    given.cases = given.cases.split(",")
    if not {*given.cases} <= {*"abcde"}:
        parser.error("the cases are a, b, c, d and e")
    if given.mails < 20 or given.rate <= 0 or not 0.01 <= given.scale <= 1 or given.specials < 1:
        parser.error("at least 20 mails, a rate and specials above 0, a scale of 0.01 to 1")
    return given


class CaseRun:
    """One case in a stack of its own."""

    def __init__(self, case: str, given: argparse.Namespace, say: Console) -> None:
        self._case, self._given, self._say = case, given, say
        self._durations = Durations(case, given.scale)
        stop_s = self._durations.long_stop_s(given.mails / given.rate)
        stop_ms = round(stop_s * 1000) if case == "e" else None
        self._decks = Decks(given.seed, rate=given.rate, stop_ms=stop_ms)

    async def judged(self) -> tuple[dict[str, Any], list[str]]:
        """Its row, and what of it is not as it must be."""
        armed = dict[str, str]()
        for name, service in _replicas():
            armed[name] = self._decks.next(service, beside=armed.values())
        async with Stack(self._plan(armed)) as stack, doors_of(stack) as doors:
            await self._spoil(stack)
            dying = Dying(stack, self._decks, armed=armed, seed=self._given.seed)
            begun_s = time.time()
            async with _beside(dying.run()), _beside(self._freeze(dying)):
                load, offered_s, processors_s = await self._load(stack, doors, dying)
                await dying.all_back()
                self._tell(f"{len(dying.kills)} killed, {len(load.acks)} mails; waits for rest")
                await self._rest(stack, doors, load, dying)
            done = once_done.Done(
                *(self._case, begun_s, offered_s),
                *(self._given.mails, self._given.rate, dying.kills),
                stops=dying.stops,
                lease_s=self._durations.lease_s,
                grace_s=self._durations.grace_s,
                special=once_cases.special(self._case),
                specials=self._given.mails // self._given.specials,
                processors_from=processors_s,
                catching_up_s=self._durations.catching_up_s,
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
            stores_proxy=once_cases.log_writes(self._case),
            log_writes=once_cases.log_writes(self._case),
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
        made = once_cases.mails_of(self._case, specials=given.specials)
        load = Load([doors.at(url) for url in urls], rate=given.rate, seed=given.seed, make=made)
        begun_s, processors_s = time.monotonic(), 0.0
        async with _beside(self._fail_webhooks(stack)):
            async with load.flowing():
                await load.many_begun(given.mails)
                dying.killing = False
                offered_s = time.time()
            if self._case == "b":
                away_s = self._durations.processors_away_s - (time.monotonic() - begun_s)
                await asyncio.sleep(max(0.0, away_s))
                processors_s = time.time()
                await stack.start_service("processor")
                dying.kill_again()
                await asyncio.sleep(self._durations.catching_up_s)
                dying.killing = False
        return load, offered_s, processors_s

    async def _fail_webhooks(self, stack: Stack) -> None:
        """The first endpoint fails now and then."""
        url = f"{stack.receiver_url}/control/{next(iter(ENDPOINTS))}"
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.put(url, json={"status": 500, "times": 3}) as answer:
                    answer.raise_for_status()
                await asyncio.sleep(FAILING_S * self._given.scale)

    async def _freeze(self, dying: Dying) -> None:
        """In `e`: senders stand still by a signal, one after the other; another one does for much
        longer by its failpoint, so that the third has to go on.
        """
        while True:
            await asyncio.sleep(FAILING_S * self._given.scale)
            if self._case == "e" and dying.killing:
                await dying.freeze_one(self._durations.short_stop_s)

    async def _rest(self, stack: Stack, doors: Doors, load: Load, dying: Dying) -> None:
        """Until all mail has ended, as far as it was promised, and the outside logs stand still; or
        for too long. Who is armed may die still, of mail that comes back: it counts from then on.
        """
        within_s = self._durations.after_a_kill_s
        run, depths = Run(stack), Depths(stack)
        deadline_s = time.monotonic() + 60 + 6 * within_s
        while True:
            last_s = dying.last_s
            await asyncio.sleep(max(0.0, last_s + within_s - time.time()))
            # First what is on no queue: it would be on one afterwards.
            to_come = await asyncio.to_thread(depths.parked)
            await quiet(run, depths, within_s=max(1.0, deadline_s - time.monotonic()))
            to_come += len(await self._under_way(stack, doors, load))
            to_come += 0 if self._case == "c" else await self._events_to_come(stack)
            over = last_s == dying.last_s and not to_come
            if over or time.monotonic() > deadline_s:
                return
            await asyncio.sleep(1.0)

    async def _under_way(self, stack: Stack, doors: Doors, load: Load) -> list[str]:
        """Mails that SES has not got, or of which no event will tell."""
        sent = {line["tags"].get("email_id") for line in _accepted(read_log(stack.ses_log))}
        special = once_cases.special(self._case) or " "
        asked = [
            one["emailId"]
            for one in load.acks
            if one["emailId"] not in sent or special in one["recipients"][0]
        ]
        statuses = await doors.statuses(asked)
        return [one for one in asked if statuses[one].get("status") in once.UNDER_WAY]

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
        stores = read_log(stack.folder / "stores.jsonl") if stack.plan.log_writes else []
        found = once.row(done, seen, cut=len(load.cut), left=left, stores=stores)
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
    instants = list(itertools.chain.from_iterable(HITS_PER_S.values()))
    too_little = once_done.proves_too_little(rows, instants)
    for sentence in once_done.spared(rows, instants):
        console.print(f"  {'not as it must be: ' * too_little}{sentence}", markup=False)
    wrong = wrong or too_little
    path = proof.write(given.name, seed=given.seed, runs=rows, passed=not wrong)
    print(f"{'FAILED' if wrong else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if wrong else 0


def main() -> int:
    """The command."""
    return exit_code_of("prove-once", prove(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
