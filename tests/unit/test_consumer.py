"""The consume loop over the in-memory queue: outcomes, limits, drain."""

import asyncio

import pytest

from mailpipe.aws.queue import Outgoing, Received
from mailpipe.lifecycle import Stop, side_tasks
from mailpipe.outcomes import CallFailed, Dead, Done, Kind, Outcome, Retry
from tests.unit.consumer_rig import Rig, answering


async def test_done_deletes() -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(Done(), handled))
    await rig.run(handled)
    assert await rig.queue.depth() == (0, 0, 0)


async def test_retry_hides_for_the_time_asked() -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(Retry(30, "later"), handled))
    await rig.run(handled)
    assert await rig.queue.depth() == (0, 1, 0)
    rig.now += 31
    (message,) = await rig.queue.receive(1, wait_s=0)
    assert message.receives == 2


async def test_a_message_is_put_off_only_when_no_renewal_can_overwrite_that() -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(Retry(300, "later"), handled))
    rig.heartbeat.gate.clear()
    running = asyncio.create_task(rig.run(handled))
    await asyncio.wait_for(rig.heartbeat.asked.wait(), 5)
    for _ in range(20):
        await asyncio.sleep(0)
    rig.now += 61  # hidden by its receive alone, it would be back by now
    assert (await rig.queue.depth()).visible == 1
    rig.now -= 61
    rig.heartbeat.gate.set()
    await running
    rig.now += 61
    assert (await rig.queue.depth()).visible == 0


@pytest.mark.parametrize("outcome", [Done(), Retry(0, "now"), Dead("poison"), RuntimeError("bug")])
async def test_a_message_is_held_while_it_is_in_hand_and_no_longer(
    outcome: Outcome | Exception,
) -> None:
    held, handled = list[int](), asyncio.Event()

    async def handle(_: Received) -> Outcome:
        held.append(len(rig.heartbeat.held))
        handled.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    rig = Rig(["m"], handle)
    await rig.run(handled)
    assert held[0] == 1
    assert rig.heartbeat.held == set()


async def test_dead_keeps_the_raw_message_with_the_reason() -> None:
    handled = asyncio.Event()
    rig = Rig(["{raw"], answering(Dead("unparseable: x"), handled))
    await rig.run(handled)
    assert await rig.queue.depth() == (0, 0, 0)
    (buried,) = await rig.dead.receive(1, wait_s=0)
    assert buried.body == "{raw"
    assert buried.attributes == {"reason": "unparseable: x", "attempts": "1", "source": "q"}


async def test_a_reason_names_nobody_in_logs_and_attributes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(Dead("exhausted: no bob@example.com here"), handled))
    await rig.run(handled)
    (buried,) = await rig.dead.receive(1, wait_s=0)
    assert buried.attributes["reason"] == "exhausted: no [address] here"
    said = capsys.readouterr()
    assert "dead_letter" in said.out + said.err
    assert "bob" not in said.out + said.err


async def test_a_reason_and_attributes_that_sqs_would_refuse_are_made_fit() -> None:
    handled = asyncio.Event()
    rig = Rig([], answering(Dead("bad \x00 \ufffe"), handled))
    crowded = {f"a{index}": "x" for index in range(10)}
    await rig.queue.send([Outgoing("m", attributes=crowded)])
    await rig.run(handled)
    (buried,) = await rig.dead.receive(1, wait_s=0)
    assert len(buried.attributes) == 10
    assert buried.attributes["reason"] == "bad ? ?"


@pytest.mark.parametrize("earlier", [{}, {"sender_id": "INGEST"}, {"sender_id": "INGEST X"}])
async def test_a_buried_message_tells_who_has_sent_it(earlier: dict[str, str]) -> None:
    handled = asyncio.Event()
    rig = Rig([], answering(Dead("version: x"), handled), sender_id="X:session")
    crowded = {f"a{index}": "x" for index in range(9)}
    await rig.queue.send([Outgoing("m", attributes=crowded | earlier)])
    await rig.run(handled)
    (buried,) = await rig.dead.receive(1, wait_s=0)
    assert len(buried.attributes) == 10
    assert buried.attributes["sender_id"] == ("X INGEST" if earlier else "X")


async def test_what_nobody_has_looked_at_is_not_kept_as_the_sender() -> None:
    handled = asyncio.Event()
    rig = Rig([], answering(Dead("version: x"), handled))
    await rig.queue.send([Outgoing("m", attributes={"sender_id": "INGEST"})])
    await rig.run(handled)
    (buried,) = await rig.dead.receive(1, wait_s=0)
    assert "sender_id" not in buried.attributes


@pytest.mark.parametrize(
    "fault", [CallFailed(Kind.IN_DOUBT, "Timeout"), RuntimeError("a bug"), ValueError("a bug")]
)
async def test_a_fault_or_a_bug_repeats_the_message_and_ends_nothing(fault: Exception) -> None:
    handled = asyncio.Event()
    rig = Rig(["m"], answering(fault, handled))
    await rig.run(handled)
    rig.now += 61
    assert len(await rig.queue.receive(1, wait_s=0)) == 1


async def test_the_limit_of_messages_in_hand_is_hard() -> None:
    busy, most, handled, all_handled = 0, 0, 0, asyncio.Event()

    async def handle(_: Received) -> Outcome:
        nonlocal busy, most, handled
        busy += 1
        most = max(most, busy)
        for _ in range(3):
            await asyncio.sleep(0)
        busy -= 1
        handled += 1
        if handled == 50:
            all_handled.set()
        return Done()

    rig = Rig([f"m{index}" for index in range(50)], handle, concurrency=4)
    await rig.run(all_handled)
    assert most == 4
    assert await rig.queue.depth() == (0, 0, 0)


class Hungry:
    """An appetite of two messages at a time, while it may eat."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.full_s = list[float]()

    async def appetite(self) -> int:
        await self.may.wait()
        return 2

    def full_for(self, seconds: float) -> None:
        self.full_s.append(seconds)


async def test_nothing_is_fetched_without_appetite_and_no_more_than_that() -> None:
    handled, several, asked = asyncio.Event(), Hungry(), list[int]()
    rig = Rig(["m"] * 3, answering(Done(), handled), appetite=several)
    receive = rig.queue.receive

    async def counted(most: int, **more: float) -> list[Received]:
        asked.append(most)
        return await receive(most, **more)

    rig.queue.receive = counted  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(rig.run(handled))
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked == []
    several.may.set()
    await running
    assert set(asked) == {2}
    assert several.full_s == []


async def test_the_limit_says_how_long_it_was_one() -> None:
    started, full, done = asyncio.Event(), Hungry(), asyncio.Event()
    full.may.set()

    async def handle(_: Received) -> Outcome:
        started.set()
        await done.wait()
        return Done()

    rig = Rig(["m"] * 4, handle, concurrency=2, appetite=full)
    running = asyncio.create_task(rig.run(started))
    await started.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    done.set()
    await running
    assert len(full.full_s) >= 1
    assert min(full.full_s) >= 0


async def test_a_drain_finishes_what_is_in_hand() -> None:
    started, finished = asyncio.Event(), list[str]()

    async def handle(message: Received) -> Outcome:
        started.set()
        await rig.stop.wait()
        await asyncio.sleep(0.01)
        finished.append(message.body)
        return Done()

    rig = Rig(["m"], handle)
    await rig.run(started)
    assert finished == ["m"]
    assert await rig.queue.depth() == (0, 0, 0)


async def test_past_the_deadline_a_message_is_handed_back_at_once() -> None:
    started = asyncio.Event()

    async def handle(_: Received) -> Outcome:
        started.set()
        await asyncio.Event().wait()
        return Done()

    rig = Rig(["m"], handle)
    await rig.run(started, drain_s=0.01)
    assert await rig.queue.depth() == (1, 0, 0)


async def test_a_side_task_that_dies_stops_the_process() -> None:
    stop = Stop()

    async def dies() -> None:
        raise RuntimeError("gone")

    async with side_tasks(stop, poller=dies()):
        await asyncio.wait_for(stop.wait(), 5)
    assert stop.failure == "poller"
