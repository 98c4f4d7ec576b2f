"""Dead letters: what is taken, and that nothing is lost wherever the work ends."""

from collections.abc import Sequence
from typing import Any

import pytest

from mailpipe import origins
from mailpipe.aws.queue import Outgoing, Received
from mailpipe.dead_letters import HOLD_S, DeadLetters, reason, revived, wanted
from mailpipe.testing import InMemoryQueue


class Killed(BaseException):
    """The process ended here."""


class Mortal(InMemoryQueue):
    """A queue whose caller is killed before its n-th call, counted over both queues."""

    def __init__(self, name: str, calls_left: list[int], **given: Any) -> None:
        super().__init__(name, **given)
        self._calls_left = calls_left

    def _lived(self) -> None:
        self._calls_left[0] -= 1
        if self._calls_left[0] < 0:
            raise Killed

    async def send(self, messages: Sequence[Outgoing]) -> Any:
        self._lived()
        return await super().send(messages)

    async def delete(self, receipts: Sequence[str]) -> Any:
        self._lived()
        return await super().delete(receipts)


class Rig:
    """A queue and its dead letters, on a clock that only moves when told to."""

    def __init__(self, reasons: Sequence[str | None], *, calls: int = 10**6) -> None:
        self.now_s = 1000.0
        self.calls = [10**6]
        self.source, self.dead = (
            Mortal(name, self.calls, clock=lambda: self.now_s) for name in ("q", "q-dead")
        )
        self.reasons = reasons
        self.first_calls = calls

    async def fill(self) -> list[str]:
        bodies = [f'{{"tenant":"t","n":{index}}}' for index in range(len(self.reasons))]
        await self.dead.send(
            [
                Outgoing(body, attributes={} if why is None else {"reason": why})
                for body, why in zip(bodies, self.reasons, strict=True)
            ]
        )
        self.now_s += 1
        self.calls[0] = self.first_calls
        return bodies

    def letters(self) -> DeadLetters:
        return DeadLetters(self.dead, before_ms=round(self.now_s * 1000), wait_s=0)

    async def bodies(self, queue: InMemoryQueue) -> list[str]:
        self.now_s += HOLD_S + 1
        found = list[str]()
        while messages := await queue.receive(10, wait_s=0):
            found += [one.body for one in messages]
        return found


def nobody(_: int) -> None:
    pass


@pytest.mark.parametrize("calls", range(8))
async def test_wherever_a_redrive_is_killed_nothing_is_lost_and_a_repeat_ends_it(
    calls: int,
) -> None:
    rig = Rig(["orphan"] * 25, calls=calls)
    bodies = await rig.fill()
    killed = False
    try:
        await rig.letters().redrive(rig.source, wanted(None), most=None, moved=nobody)
    except Killed:
        killed = True
    assert killed == (calls < 6)
    there = await rig.bodies(rig.source)
    assert set(there) | set(await rig.bodies(rig.dead)) == set(bodies)
    rig.calls[0] = 10**6
    rig.now_s += HOLD_S + 1
    await rig.letters().redrive(rig.source, wanted(None), most=None, moved=nobody)
    assert set(await rig.bodies(rig.source)) == set(bodies)
    assert await rig.bodies(rig.dead) == []


async def test_a_message_that_dies_again_meanwhile_is_not_put_back_for_ever() -> None:
    rig = Rig(["orphan"] * 3)
    await rig.fill()

    class DiesAtOnce(InMemoryQueue):
        async def send(self, messages: Sequence[Outgoing]) -> Any:
            return await rig.dead.send(messages)

    source = DiesAtOnce("q", clock=lambda: rig.now_s)
    tally = await rig.letters().redrive(source, wanted(None), most=None, moved=nobody)
    assert tally.done == 3
    assert len(await rig.bodies(rig.dead)) == 3


async def test_what_is_not_wanted_is_handed_back_at_once() -> None:
    rig = Rig(["orphan", "exhausted: 500", None, "orphan"])
    await rig.fill()
    tally = await rig.letters().redrive(rig.source, wanted("orphan"), most=None, moved=nobody)
    assert (tally.done, tally.reasons) == (2, {"orphan": 2})
    assert await rig.dead.depth() == (2, 0, 0)


async def test_a_look_takes_nothing() -> None:
    rig = Rig(["orphan", None])
    await rig.fill()
    seen = await rig.letters().look(wanted(None), most=None)
    assert [reason(one) for one in seen] == ["orphan", "crash_loop"]
    assert await rig.dead.depth() == (2, 0, 0)


async def test_no_more_than_asked_for_is_taken() -> None:
    rig = Rig(["orphan"] * 25)
    await rig.fill()
    tally = await rig.letters().purge(wanted(None), most=12, moved=nobody)
    assert tally.done == 12
    assert (await rig.dead.depth()).visible == 13


async def test_a_forged_message_is_put_back_only_when_asked_for_by_its_reason() -> None:
    rig = Rig(["auth: AIDAX may not", "orphan"])
    await rig.fill()
    some = wanted(None, forged=False)
    tally = await rig.letters().redrive(rig.source, some, most=None, moved=nobody)
    assert tally.reasons == {"orphan": 1}
    tally = await rig.letters().redrive(rig.source, wanted("auth"), most=None, moved=nobody)
    assert tally.reasons == {"auth": 1}


@pytest.mark.parametrize(
    ("body", "group"),
    [
        ('{"tenant":"shop"}', "shop"),
        ('{"type":"webhook.v1","tenant":"shop","endpoint":"e"}', "e"),
        ('{"type":"email.v1","tenant":"shop","endpoint":"a b"}', "shop"),
        ('{"type":"email.v1","tenant":"a b"}', None),
        ('{"tenant":7}', None),
        ("[]", None),
        ("{raw", None),
        ("", None),
    ],
)
def test_a_message_goes_back_as_it_was(body: str, group: str | None) -> None:
    message = letter("SENDER", {"mine": "1", **BURIED, "sender_id": "X"}, body=body)
    assert revived(message, vouched=True) == Outgoing(body, group=group, attributes={"mine": "1"})


BURIED = {"reason": "x", "attempts": "3", "source": "q"}


def letter(sender_id: str | None, attributes: dict[str, str], *, body: str = "m") -> Received:
    return Received(
        *("m", "r", body, 1, 0), attributes=attributes, sender_id=sender_id and f"{sender_id}:s"
    )


@pytest.mark.parametrize(
    ("sender_id", "attributes", "chain"),
    [
        pytest.param("SENDER", {**BURIED, "sender_id": "X"}, ["SENDER", "X"], id="buried"),
        pytest.param("SENDER", BURIED, ["SENDER", "?"], id="buried by who did not look"),
        pytest.param("X", {}, ["X"], id="moved by SQS"),
        pytest.param(None, {}, ["?"], id="moved by SQS, which does not tell"),
        pytest.param("X", {"sender_id": "INGEST"}, ["X", "INGEST"], id="moved, a forger's"),
        pytest.param(
            "X", {**BURIED, "sender_id": "INGEST"}, ["X", "INGEST"], id="as if it were buried"
        ),
        pytest.param("OP", {**BURIED, "sender_id": "OP X"}, ["OP", "X"], id="again"),
        pytest.param("OP", {"sender_id": "X" * 2000}, ["?"], id="too long to keep"),
        pytest.param("OP", {"sender_id": "\u00e9"}, ["?"], id="no id"),
    ],
)
def test_put_back_a_message_still_tells_who_has_sent_it(
    sender_id: str | None, attributes: dict[str, str], chain: list[str]
) -> None:
    back = revived(letter(sender_id, attributes))
    assert origins.earlier(back.attributes) == chain


@pytest.mark.parametrize("vouched", [True, False])
def test_what_only_senders_may_say_is_not_put_back_in_an_operator_s_name(vouched: bool) -> None:
    back = revived(letter("AIDASHOP", {"probe": "account", "paused_ms": "9"}), vouched=vouched)
    assert {"probe", "paused_ms"}.isdisjoint(back.attributes)


def test_what_goes_back_has_no_more_attributes_than_sqs_takes() -> None:
    crowded = {f"a{index}": "x" for index in range(10)}
    back = revived(letter("X", crowded))
    assert (len(back.attributes), back.attributes["sender_id"]) == (10, "X")


async def test_work_that_outlasts_the_hold_goes_on_to_the_last_message() -> None:
    rig = Rig(["exhausted"] * 15 + ["orphan"] * 25)
    await rig.fill()
    letters = rig.letters()

    def slowly(_: int) -> None:
        rig.now_s += HOLD_S + 1  # what was looked at and kept comes again, first

    tally = await letters.redrive(rig.source, wanted("orphan"), most=None, moved=slowly)
    assert tally.done == 25
    assert await rig.dead.depth() == (15, 0, 0)
