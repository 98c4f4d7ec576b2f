"""Senders in virtual time around one shared item: the sender's own arithmetic in a made-up world.

What may go wrong with instants does: writes take time and overtake each other, clocks differ, sends
are late and take ways of different length, senders freeze and are killed.
"""

import heapq
from collections.abc import Callable, Generator
from itertools import count
from random import Random

from loadtest.quota_senders import BULK, LARGE, URGENT, Case, Lane, Mail, Sender
from mailpipe.changes import Change, Changed, Fate, Numbers
from sender.pacing import WHOLE, Reservation
from sender.reserving import Wanted

EPOCH_US = 1_764_000_000_000_000
SPREAD = 1.05
LEAD_S = 0.12
WORK_S = (0.02, 0.09)
"""Claim and suppression, between the slots and the instant."""
WRITE_S = (0.001, 0.004)
"""One way to the item or back."""
LATE_S = 0.02
"""A send is late by up to this, or it is dropped."""
PATH_S = (0.001, 0.02)
CLOCK_S = 0.01
"""Clocks are off by up to this, either way: the budget within which a clock is good."""
IN_HAND_S = 3.0
"""A sender has so many seconds' worth of its part of the rate in hand."""
SMALL_LOAD = 0.3
FIRST_FAULT_S = 4.0
BACK_AFTER_S = 1.0


class World:
    """Virtual time, the item, the senders, and what came of it all."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.arrivals = list[float]()
        self.sent = {BULK: 0, URGENT: 0}
        self.urgent_waits = list[float]()
        self.tenant_waits = dict[int, list[float]]()
        self.writes = 0
        self.refused = 0
        self.faults = list[float]()
        self._random = Random(case.seed)  # noqa: S311 - a reproducible world is the point
        self._now_s = 0.0
        self._item: Numbers = {"tat": EPOCH_US, "tatBulk": EPOCH_US, "factor": WHOLE, "factorAt": 0}
        self._events = list[tuple[float, int, Callable[[], None]]]()
        self._order = count()
        rate = case.quota / SPREAD
        self._in_hand = max(10, round(IN_HAND_S * rate / case.senders))
        self._senders = [self._start(0.0) for _ in range(case.senders)]
        self._arrange_faults()
        for number in range(case.mails):
            self._senders[number % case.senders].lanes[BULK].add(Mail(0.0))
        if 0 < case.urgent < 1:
            self._come(URGENT, case.urgent * rate, tenants=range(1))
        if case.tenants > 1:
            self._come(BULK, SMALL_LOAD * rate, tenants=range(1, case.tenants))

    def run(self) -> None:
        """Until the time of the case is over."""
        while self._events and self._events[0][0] <= self.case.seconds:
            self._now_s, _, happens = heapq.heappop(self._events)
            happens()
        for sender in self._living(self.case.seconds):
            for lane in sender.lanes.values():
                if lane.wants():
                    lane.granted(self.case.seconds)

    @property
    def longest_starved_s(self) -> float:
        """The longest that a sender's bulk mail waited for any slot."""
        return max(one.lanes[BULK].starved_s for one in self._senders)

    def _after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now_s + seconds, next(self._order), happens))

    def _living(self, at_s: float) -> list[Sender]:
        return [one for one in self._senders if one.born_s <= at_s < one.dies_s]

    def _start(self, born_s: float) -> Sender:
        def lane(name: str, endless: bool) -> Lane:
            return Lane(name, endless=endless, in_hand=self._in_hand, now_s=born_s)

        lanes = {
            BULK: lane(BULK, self.case.mails == 0),
            URGENT: lane(URGENT, self.case.urgent >= 1),
        }
        offset_s = self._random.uniform(-CLOCK_S, CLOCK_S)
        sender = Sender(lanes, offset_s=offset_s, born_s=born_s)
        for one in lanes.values():
            begins_s = born_s - self._now_s + self._random.uniform(0, 0.1)
            self._after(begins_s, self._asking(sender, one))
        return sender

    def _arrange_faults(self) -> None:
        """When who is frozen or killed; a second after a kill another sender starts."""
        case, choose = self.case, self._random
        at_s = FIRST_FAULT_S
        while case.freezes and at_s < case.seconds:
            choose.choice(self._senders).freezes.append(at_s)
            self.faults.append(at_s)
            at_s += 2 + choose.expovariate(case.freezes)
        at_s = FIRST_FAULT_S
        while case.kills and at_s < case.seconds:
            choose.choice(self._living(at_s)).dies_s = at_s
            self.faults.append(at_s)
            self._senders.append(self._start(at_s + BACK_AFTER_S))
            at_s += 2 + choose.expovariate(case.kills)

    def _when_awake(self, sender: Sender, happens: Callable[[], None]) -> Callable[[], None]:
        """What a sender does it does while it runs, if it lives."""

        def now() -> None:
            if sender.dies_s <= self._now_s:
                return
            wait_s = sender.awake_s(self._now_s) - self._now_s
            if wait_s > 0:
                self._after(wait_s, now)
            else:
                happens()

        return now

    def _come(self, lane: str, rate: float, *, tenants: range) -> None:
        """Mails that come at random times to random senders."""

        def comes() -> None:
            if living := self._living(self._now_s):
                sender = self._random.choice(living)
                mail = Mail(self._now_s, self._random.choice(tenants))
                sender.lanes[lane].add(mail)
                self._when_awake(sender, self._asking(sender, sender.lanes[lane]))()
            self._after(self._random.expovariate(rate), comes)

        self._after(0.0, comes)

    # --- slots ------------------------------------------------------------------------------------
    def _asking(self, sender: Sender, lane: Lane) -> Callable[[], None]:
        """Ask for slots, again and again while there is mail; one question of a lane at a time."""

        def ask() -> None:
            if not lane.busy and lane.wants():
                lane.busy = True
                asked_s = self._now_s
                steps = sender.account.reserve(self._wanted(sender, lane))
                self._step(sender, steps, None, lambda found: answered(asked_s, found))

        def answered(asked_s: float, found: Reservation) -> None:
            if found.instants:
                lane.granted(self._now_s)
                self._use(sender, lane, [asked_s + one for one in found.instants])
            self._after(found.again_in_s, self._when_awake(sender, again))

        def again() -> None:
            lane.busy = False
            ask()

        return self._when_awake(sender, ask)

    def _wanted(self, sender: Sender, lane: Lane) -> Wanted:
        return Wanted(
            URGENT if self.case.one_horizon else lane.name,
            recipients=1,
            at_most=lane.wants(),
            now_us=EPOCH_US + round((self._now_s + sender.offset_s) * 1e6),
            lead_s=LEAD_S,
            quota=self.case.quota,
            jitter=self._random.random(),
            senders=self.case.senders,
        )

    def _step(
        self,
        sender: Sender,
        steps: Generator[Change, Fate, Reservation],
        fate: Fate | None,
        done: Callable[[Reservation], None],
    ) -> None:
        """One write on its way to the item, and the answer on its way back."""
        try:
            change = next(steps) if fate is None else steps.send(fate)
        except StopIteration as end:
            done(end.value)
            return

        def written() -> None:
            answer = change.applied(self._item)
            self.writes += 1
            if isinstance(answer, Changed):
                self._item = answer.item
            else:
                self.refused += 1
            goes_on = self._when_awake(sender, lambda: self._step(sender, steps, answer, done))
            self._after(self._random.uniform(*WRITE_S), goes_on)

        self._after(self._random.uniform(*WRITE_S), written)

    def _use(self, sender: Sender, lane: Lane, instants: list[float]) -> None:
        used = 0
        for instant_s in instants:
            mail = lane.take(self._now_s)
            if mail is None:
                break
            used += 1
            ready_s = self._now_s + self._random.uniform(*WORK_S)
            at_s = max(instant_s + self._random.uniform(0, LATE_S), ready_s)
            at_s = sender.awake_s(at_s)
            if at_s >= sender.dies_s:
                continue
            if at_s > instant_s + LATE_S:
                self._after(at_s - self._now_s, self._missed(sender, lane, mail))
            else:
                self._goes(lane, mail, at_s)
        if lane.endless:
            lane.free -= used
            self._after(instants[-1] - self._now_s, self._freed(sender, lane, used))

    def _goes(self, lane: Lane, mail: Mail, at_s: float) -> None:
        self.arrivals.append(at_s + self._random.uniform(*PATH_S))
        self.sent[lane.name] += 1
        if lane.name == URGENT:
            self.urgent_waits.append(at_s - mail.at_s)
        elif mail.tenant != LARGE:
            self.tenant_waits.setdefault(mail.tenant, []).append(at_s - mail.at_s)

    def _freed(self, sender: Sender, lane: Lane, number: int) -> Callable[[], None]:
        def freed() -> None:
            lane.free += number
            self._asking(sender, lane)()

        return freed

    def _missed(self, sender: Sender, lane: Lane, mail: Mail) -> Callable[[], None]:
        def missed() -> None:
            if not (lane.endless and mail.tenant == LARGE):
                lane.add(mail, first=True)
            self._asking(sender, lane)()

        return missed
