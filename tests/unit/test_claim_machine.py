"""Any interleaving of senders, processors, customers, deaths and lost answers, on one record. SQS
may hand the message out again although it was deleted.
"""

import random
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailpipe.records import Record
from mailpipe.status import FIRST_ENDED_RANK, SENT
from mailpipe.timing import parse_iso
from tests.unit.claim_parts import Process
from tests.unit.claim_world import DECIDE_MS, GRACE_MS, LEASE_MS, SEND_MS, Says, World

LIVES = 1_500
POLICIES: tuple[Literal["resend", "unknown"], ...] = ("resend", "resend", "unknown")
STOPS = (
    *("before a write", "after a write", "before the instant", "before SES's answer"),
    *("before the verdict is carried out", "before our event", "before a read", None),
)
ANSWERS: tuple[Says, ...] = (
    *("accepts, unheard", "accepts, unheard", "accepts, unheard", "hears nothing"),
    *("accepts", "refuses", "throttles"),
)
TIMES = (100, SEND_MS, LEASE_MS + 1, LEASE_MS + GRACE_MS + 1, LEASE_MS + GRACE_MS + 1, DECIDE_MS)
LATER = (-1_000, 0, 40_000)

which = st.integers(0, 5)
stops, answers, times = map(st.sampled_from, (STOPS, ANSWERS, TIMES))


class Claims(RuleBasedStateMachine):
    """`flowing`: every event of SES is handled within the grace."""

    @initialize(
        policy=st.sampled_from(POLICIES),
        recorded=st.booleans(),
        flowing=st.booleans(),
        customers=st.booleans(),
    )
    def begin(
        self,
        policy: Literal["resend", "unknown"],
        *,
        recorded: bool,
        flowing: bool,
        customers: bool,
    ) -> None:
        self.world = World(policy, recorded=recorded)
        self.flowing, self.customers = flowing, customers
        self.seen: Record | None = None

    def has_room(self) -> bool:
        return len(self.world.running) < 4

    @rule(ms=times, proved=st.booleans())
    def time_passes(self, ms: int, *, proved: bool) -> None:
        if self.flowing:
            self._flow(until_ms=self.world.now + ms)
        self.world.pass_time(ms)
        self.world.proved = proved

    @rule()
    def answers_of_the_table_are_lost_or_no_longer(self) -> None:
        self.world.tables.repeats = not self.world.tables.repeats

    @precondition(has_room)
    @rule(until=stops, answer=answers)
    def a_sender_takes_it(self, until: str | None, answer: Says) -> None:
        self.world.says = answer
        self.world.go_on(self.world.take_mail(), until=until)

    @precondition(has_room)
    @rule(until=stops, answer=answers, ms=times, dies=st.booleans())
    def a_sender_takes_it_and_dies_or_stands_too_long(
        self, until: str | None, answer: Says, ms: int, *, dies: bool
    ) -> None:
        process = self.world.take_mail()
        self.world.says = answer
        self.world.go_on(process, until=until)
        if dies and process in self.world.running:
            self.world.kill(process)
        self.time_passes(ms, proved=True)

    @precondition(lambda self: self.world.events and self.has_room())
    @rule(number=which, until=stops)
    def a_processor_takes_an_event(self, number: int, until: str | None) -> None:
        events = self.world.events
        self.world.go_on(self.world.take_event(events[number % len(events)]), until=until)

    @precondition(lambda self: self.world.running)
    @rule(number=which, until=stops)
    def one_goes_on(self, number: int, until: str | None) -> None:
        self.world.go_on(self._one(number), until=until)

    @precondition(lambda self: self.world.running)
    @rule(number=which)
    def one_dies(self, number: int) -> None:
        self.world.kill(self._one(number))

    @precondition(lambda self: not self.world.calls)
    @rule()
    def the_door_records_it(self) -> None:
        self.world.door()

    @precondition(lambda self: self.customers and self.world.record is not None)
    @rule()
    def a_customer_looks(self) -> None:
        self.seen = self.world.record

    @precondition(lambda self: self.seen is not None)
    @rule()
    def it_is_cancelled(self) -> None:
        assert self.seen is not None
        self.world.cancel(self.seen)

    @precondition(lambda self: self.seen is not None)
    @rule(in_ms=st.sampled_from(LATER))
    def it_is_rescheduled(self, in_ms: int) -> None:
        assert self.seen is not None
        self.world.reschedule(self.seen, in_ms)

    @invariant()
    def what_must_hold_holds(self) -> None:
        self.world.holds()
        if self.flowing:
            assert len(self.world.accepted) <= 1, "sent twice although events flow"

    def teardown(self) -> None:
        """All faults are over: nothing may be lost."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.says, world.proved = "accepts", True
        for one in list(world.running):
            world.go_on(one)
        for _ in range(6):
            self._flow(until_ms=world.now)
            if world.on_queue:
                world.go_on(world.take_mail())
                self.what_must_hold_holds()
            if self.flowing:
                self._flow(until_ms=world.now + LEASE_MS + GRACE_MS + 1)
            world.pass_time(LEASE_MS + GRACE_MS + 1)
        self._flow(until_ms=world.now)
        self.what_must_hold_holds()
        record = world.record
        assert not world.on_queue
        assert record is not None
        assert record.rank >= FIRST_ENDED_RANK, "it waits for ever"
        if world.accepted:
            assert record.rank >= SENT.rank
            named = {f"a{attempt}" for attempt in world.accepted}
            assert named <= set(record.ids), "an id of SES is not known"

    def _one(self, number: int) -> Process:
        return self.world.running[number % len(self.world.running)]

    def _flow(self, until_ms: int) -> None:
        """Those events are handled that may not wait until then."""
        for event in list(self.world.events):
            if event in self.world.events and parse_iso(event.occurred_at) + GRACE_MS <= until_ms:
                self.world.go_on(self.world.take_event(event))


Claims.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestClaims = Claims.TestCase


@pytest.mark.parametrize("seed", range(LIVES // 250))
def test_many_lives_of_a_mail(seed: int) -> None:
    """What hypothesis finds it makes small; long and crowded lives it rarely comes to."""
    chosen = random.Random(seed)
    for _ in range(250):
        live(chosen)


def live(chosen: random.Random) -> None:
    """One life, as the rules allow it."""
    pick, life = chosen.choice, Claims()

    def maybe() -> bool:
        return chosen.random() < 0.5

    life.begin(pick(POLICIES), recorded=maybe(), flowing=maybe(), customers=maybe())
    world = life.world
    moves: list[tuple[int, Callable[[], object], Callable[[], None]]] = [
        (4, life.has_room, lambda: life.a_sender_takes_it(pick(STOPS), pick(ANSWERS))),
        (
            4,
            life.has_room,
            lambda: life.a_sender_takes_it_and_dies_or_stands_too_long(
                pick(STOPS), pick(ANSWERS), pick(TIMES), dies=maybe()
            ),
        ),
        (
            2,
            lambda: world.events and life.has_room(),
            lambda: life.a_processor_takes_an_event(pick(range(6)), pick(STOPS)),
        ),
        (4, lambda: world.running, lambda: life.one_goes_on(pick(range(6)), pick(STOPS))),
        (1, lambda: world.running, lambda: life.one_dies(pick(range(6)))),
        (2, lambda: True, lambda: life.time_passes(pick(TIMES), proved=maybe())),
        (1, lambda: True, life.answers_of_the_table_are_lost_or_no_longer),
        (1, lambda: not world.calls, life.the_door_records_it),
        (3, lambda: life.customers and world.record is not None, life.a_customer_looks),
        (1, lambda: life.seen is not None, life.it_is_cancelled),
        (2, lambda: life.seen is not None, lambda: life.it_is_rescheduled(pick(LATER))),
    ]
    for _ in range(25):
        able = [(weight, move) for weight, can, move in moves if can()]
        ((_, move),) = chosen.choices(able, [weight for weight, _ in able])
        move()
        life.what_must_hold_holds()
    life.teardown()
