"""Several processors: what one of them holds is never overlooked, and yet a proof is found."""

from hypothesis import given
from hypothesis import strategies as st

from mailpipe.evidence import CLOCKS_MS, Figures, missing
from processor.flow import Flow

NOW = 1_795_514_400_000
EVERY, VISIBILITY, STEP = 5_000, 60_000, 500


class Processor:
    """One of several. `begins`: when it publishes first; `ahead`: its clock is so much."""

    def __init__(self, begins: int, ahead: int = 0) -> None:
        self.flow = Flow(every_ms=EVERY, visibility_ms=VISIBILITY)
        self.begins, self.ahead = begins, ahead
        self.figures: Figures | None = None
        self.publishes, self.busy, self.idle = True, False, False

    def step(self, now_ms: int) -> None:
        """It publishes when it has to. Where it is busy it has just handled an event."""
        if self.busy:
            self.flow.received("new", now_ms)
            self.flow.handled("new", now_ms=now_ms + self.ahead)
        if self.publishes and now_ms >= self.begins and (now_ms - self.begins) % EVERY == 0:
            clock = now_ms + self.ahead
            empty_at = clock - 1_000 if self.idle else 0
            self.figures = self.flow.figures(now_ms=clock, empty_at=empty_at)

    def quiet_ms(self) -> int:
        """When it takes and keeps nothing any more, should it not publish again."""
        return self.figures.quiet_at - self.ahead if self.figures else 0


def proved(processors: list[Processor], since_ms: int, now_ms: int) -> bool:
    figures = [one.figures for one in processors if one.figures]
    return missing(figures, since_ms=since_ms, now_ms=now_ms) is None


phases, aheads = st.integers(0, EVERY // STEP - 1), st.integers(-4, 4)
ends = st.sampled_from(["never", "is killed", "cannot publish"])


@given(phases, phases, aheads, st.integers(1, 40), st.integers(0, 200), ends, st.booleans())
def test_an_older_event_that_somebody_holds_is_never_overlooked(
    one: int, two: int, ahead: int, taken: int, later: int, how: str, thinks_empty: bool
) -> None:
    """One takes it while others know of him, and ends before or after that in some way; all later
    ones, or a queue that only seems empty, come to another.
    """
    holder, other = Processor(NOW + STEP * one, STEP * ahead), Processor(NOW + STEP * two)
    since_ms = NOW - CLOCKS_MS - 1
    taken_ms = holder.begins + STEP * taken
    ends_ms = (
        holder.begins + STEP * (later + 1) if how == "cannot publish" else taken_ms + STEP * later
    )
    hidden_until = NOW + 200_000
    for now_ms in range(NOW, NOW + 200_000, STEP):
        if now_ms == taken_ms:
            if holder.quiet_ms() <= now_ms:
                return  # it takes nothing
            holder.flow.received("old", since_ms)
            other.busy, other.idle = not thinks_empty, thinks_empty
        if how != "never" and now_ms == ends_ms:
            holder.publishes = False
            kept_until = now_ms if how == "is killed" else holder.quiet_ms()
            hidden_until = kept_until + VISIBILITY
        for processor in (holder, other):
            processor.step(now_ms)
        if now_ms >= hidden_until:
            return
        assert not proved([holder, other], since_ms, now_ms)


@given(st.lists(st.tuples(phases, aheads), min_size=1, max_size=5), st.booleans())
def test_while_all_publish_a_proof_is_there_at_any_time(
    several: list[tuple[int, int]], empty: bool
) -> None:
    """Whoever looks every now and then must not miss it for ever: one is busy, all the time."""
    processors = [Processor(NOW + STEP * phase, 100 * ahead) for phase, ahead in several]
    processors[0].busy = not empty
    for processor in processors:
        processor.idle = empty
    for now_ms in range(NOW, NOW + 90_000, STEP):
        for processor in processors:
            processor.step(now_ms)
        if now_ms > NOW + 45_000:
            assert proved(processors, NOW, now_ms)
