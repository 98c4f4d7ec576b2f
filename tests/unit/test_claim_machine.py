"""Any interleaving of senders, processors, customers, deaths and lost answers, on one record. SQS
may hand the message out again although it was deleted.
"""

from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailpipe.status import FIRST_ENDED_RANK, SENT
from mailpipe.timing import parse_iso
from tests.unit.claim_world import DECIDE_MS, GRACE_MS, LEASE_MS, SEND_MS, Process, Says, World

which = st.integers(0, 5)
stops = st.sampled_from(
    [
        *("before a write", "after a write", "before the instant", "before SES's answer"),
        *("before the verdict is carried out", "before our event", "before a read", None),
    ]
)
answers = st.sampled_from(
    [*["accepts, unheard"] * 4, "hears nothing", "hears nothing", "accepts", "refuses", "throttles"]
)
times = st.sampled_from(
    [100, SEND_MS, LEASE_MS + 1, LEASE_MS + GRACE_MS + 1, LEASE_MS + GRACE_MS + 1, DECIDE_MS]
)


class Claims(RuleBasedStateMachine):
    """`flowing`: every event of SES is handled within the grace."""

    @initialize(
        policy=st.sampled_from(["resend", "resend", "unknown"]),
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

    @rule(ms=times, proved=st.booleans())
    def time_passes(self, ms: int, *, proved: bool) -> None:
        if self.flowing:
            self._flow(until_ms=self.world.now + ms)
        self.world.pass_time(ms)
        self.world.proved = proved

    @rule()
    def answers_of_the_table_are_lost_or_no_longer(self) -> None:
        self.world.tables.repeats = not self.world.tables.repeats

    @precondition(lambda self: len(self.world.running) < 4)
    @rule(until=stops, answer=answers)
    def a_sender_takes_it(self, until: str | None, answer: Says) -> None:
        self.world.says = answer
        self.world.go_on(self.world.take_mail(), until=until)

    @precondition(lambda self: len(self.world.running) < 4)
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

    @precondition(lambda self: self.world.events and len(self.world.running) < 4)
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

    @precondition(lambda self: self.customers)
    @rule()
    def it_is_cancelled(self) -> None:
        self.world.cancel()

    @precondition(lambda self: self.customers and self.world.record is not None)
    @rule(in_ms=st.sampled_from([-1_000, 0, 40_000]))
    def it_is_rescheduled(self, in_ms: int) -> None:
        record = self.world.record
        assert record is not None
        self.world.reschedule(record, in_ms)

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


Claims.TestCase.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
TestClaims = Claims.TestCase
