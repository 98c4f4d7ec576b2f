"""Replicas that die at instants of the seed and are started again, and are stopped for a while.

While it is `killing`, at least as many replicas have died as seconds have passed: they start armed
with the next instant of their service's deck; where that does not come up in time, one is killed as
it is. Hardly more than one a second is started again, so that the pace holds the other way, too.
"""

import asyncio
import random
import time
from contextlib import suppress
from pathlib import Path

from infra.local.children import Child, ChildFailed
from infra.local.stack import Stack
from loadtest.instants import LIVES_S, Decks, is_stop
from loadtest.once_done import ANYWHERE, Kill, Stop

FAILPOINT = "MAILPIPE_FAILPOINT"
LOOK_S = 0.02
PER_S = 1.1
"""Kills: one a second are asked for while mail flows, and looks come late."""
GAP_S = 0.8
"""Between two kills by hand, and between two starts: looks come late where processes start."""
STARTING = 3
"""So many start at once, at most: more would all be late on a slow machine."""


class Dying:
    """`kills` and `stops` are what was seen of the processes from outside."""

    def __init__(self, stack: Stack, decks: Decks, *, armed: dict[str, str], seed: int) -> None:
        self.kills = list[Kill]()
        self.stops = list[Stop]()
        self.killing = True
        self._stack, self._decks = stack, decks
        self._armed = dict(armed)
        self._begun_s = time.monotonic()
        self._before = 0
        self._since = dict[str, float]()
        self._choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
        self._dead = list[Child]()
        self._coming = dict[str, asyncio.Task[None]]()
        self._stopped = dict[str, float]()
        self._frozen = set[str]()

    async def run(self) -> None:
        """For ever. Raises ChildFailed when a process ends otherwise."""
        self._begun_s = next_s = kill_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            self._look()
            behind = len(self.kills) - self._before < int(PER_S * (now_s - self._begun_s) + 0.5)
            if self.killing and behind and now_s >= kill_s:
                kill_s = now_s + GAP_S
                await self._kill_one()
            if self._dead and now_s >= next_s and len(self._coming) < STARTING:
                next_s = now_s + GAP_S
                child = self._dead.pop(0)
                self._coming[child.name] = asyncio.create_task(self._again(child))
            await asyncio.sleep(LOOK_S)

    def kill_again(self) -> None:
        """After it was `killing` no more: from now on, at the same pace."""
        self._begun_s, self._before = time.monotonic(), len(self.kills)
        self.killing = True

    async def freeze_one(self, seconds: float) -> None:
        """Stop a sender that runs, by a signal, and let it go on so much later."""
        running = [one for one in self._stack.services["sender"] if self._may_end(one)]
        if not running:
            return
        child = self._choice.choice(running)
        with suppress(ProcessLookupError):  # it has just died
            async with child.frozen():
                self._frozen.add(child.name)
                await asyncio.sleep(seconds)

    @property
    def last_s(self) -> float:
        """When the last replica died or went on (wall seconds): now, if one does not run."""
        if not all(map(self._runs, self._children())):
            return time.time()
        died, went_on = (one.t for one in self.kills), (one.until for one in self.stops)
        return max((*died, *went_on), default=0.0)

    async def all_back(self) -> None:
        """No more kills; when everything runs again."""
        self.killing = False
        while True:
            if not self._dead and not self._coming and all(map(self._runs, self._children())):
                return
            await asyncio.sleep(LOOK_S)

    def _children(self) -> list[Child]:
        return [child for some in self._stack.services.values() for child in some]

    def _runs(self, child: Child) -> bool:
        away = {*self._coming, *self._stopped, *self._frozen}
        return child.exit_code is None and child.name not in away

    def _may_end(self, child: Child) -> bool:
        """By hand: who is to stand still at an instant has to come there."""
        return self._runs(child) and not is_stop(self._armed[child.name])

    def _look(self) -> None:
        """What has happened since the last look."""
        for name in [name for name, task in self._coming.items() if task.done()]:
            self._coming.pop(name).result()
        waiting = {child.name for child in self._dead} | self._coming.keys()
        for child in self._children():
            if child.name in waiting:
                continue
            if child.exit_code is None:
                self._look_at_stop(child)
            elif said := child.died():
                raise ChildFailed(said)
            else:
                self._note(child, self._armed[child.name].partition("@")[0])

    def _look_at_stop(self, child: Child) -> None:
        if _is_stopped(child.pid):
            self._stopped.setdefault(child.name, time.time())
        elif (since_s := self._stopped.pop(child.name, None)) is not None:
            how = "signal" if child.name in self._frozen else "failpoint"
            if how == "failpoint":
                self._armed[child.name] = ANYWHERE
            self._frozen.discard(child.name)
            self.stops.append(Stop(since_s, time.time(), child.name, how))

    def _note(self, child: Child, at: str) -> None:
        self.kills.append(Kill(time.time(), child.name, at))
        self._frozen.discard(child.name)
        self._stopped.pop(child.name, None)
        self._dead.append(child)

    async def _kill_one(self) -> None:
        """Who has outlived its card by most; the last of several that run only if it must be."""
        spare, last = list[Child](), list[Child]()
        for replicas in self._stack.services.values():
            running = [child for child in replicas if self._may_end(child)]
            (spare if len(running) >= min(2, len(replicas)) else last).extend(running)
        if living := spare or last:
            victim = max(living, key=self._age)
            await victim.kill()
            self._note(victim, ANYWHERE)

    def _age(self, child: Child) -> float:
        lived_s = time.monotonic() - self._since.get(child.name, self._begun_s)
        return lived_s / LIVES_S[_service(child)]

    async def _again(self, ended: Child) -> None:
        others = [card for name, card in self._armed.items() if name != ended.name]
        armed = self._decks.next(_service(ended), beside=others) if self.killing else ""
        self._armed[ended.name] = armed or ANYWHERE
        own = {FAILPOINT: armed, "AWS_ACCESS_KEY_ID": ended.name}
        await self._stack.restart_one(ended, **own)
        self._since[ended.name] = time.monotonic()


def _service(child: Child) -> str:
    return child.name.partition("-")[0]


def _is_stopped(pid: int) -> bool:
    """By Linux's word (proc(5): the state follows the name in brackets)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False
