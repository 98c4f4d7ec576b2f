"""What became of mail at the REST door is what the queue says, however slow the stores are."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import pytest

from ingest.acceptance import Acceptance, Desk, Taken
from mailpipe import failpoints
from mailpipe.accepting import Arrival, queued
from mailpipe.aws.queue import Outgoing, TimedQueue
from mailpipe.aws.table import Applied, Fate, Refused, Tables
from mailpipe.messages import Email, Stream
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement
from mailpipe.records import Attributes

THROTTLED = CallFailed(Kind.THROTTLED, "Throttled")
NEVER = object()
LATE = CallFailed(Kind.IN_DOUBT, "TimeoutError")


class Lane:
    """A queue that takes everything; or never answers."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.taken = 0

    async def send(self, messages: Sequence[Outgoing]) -> list[CallFailed | None]:
        return await self.send_until(messages, None)

    async def send_until(
        self, messages: Sequence[Outgoing], due_s: float | None
    ) -> list[CallFailed | None]:
        self.taken += len(messages)
        if self.answers:
            return [None] * len(messages)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_s):
                await asyncio.Event().wait()
        return [LATE] * len(messages)


class Stores:
    """Tables whose every write has this fate, and whose reads have these, one after another."""

    def __init__(self, write: object, *reads: object) -> None:
        self.write = write
        self.reads = list(reads)

    async def write_all(self, statements: Sequence[Statement]) -> list[Fate | CallFailed]:
        if self.write is NEVER:
            await asyncio.Event().wait()
        return [cast(Fate, self.write)] * len(statements)

    async def get_all(self, _: str, keys: list[Attributes]) -> list[Attributes]:
        read = self.reads.pop(0)
        if read is NEVER:
            await asyncio.Event().wait()
        if isinstance(read, CallFailed):
            raise read
        return cast(list[Attributes], read)


def letter(*, key: str | None = None, stream: Stream = "bulk") -> Any:
    email = Email(
        to=["a@example.com", "c@example.com"], from_="b@example.com", subject="s", body_text="t"
    )
    message = Arrival("t", recorded=True).accepted(email, stream, idempotency_key=key)
    return message, queued(message)


async def left() -> None:
    """Others have their turn."""


def take(
    letters: list[Any], stores: Stores, *, slow: frozenset[str] = frozenset(), due_s: float = 0.05
) -> list[Acceptance]:
    """The fates, of a desk whose queues `slow` never answer."""

    async def run() -> list[Acceptance]:
        lanes = {name: Lane(answers=name not in slow) for name in ("transactional", "bulk")}
        desk = Desk(
            cast(dict[str, TimedQueue], lanes), cast(Tables, stores), prefix="", least_record_s=0.01
        )
        due = asyncio.get_running_loop().time() + due_s
        async with asyncio.timeout(5):  # of its own accord it ends long before
            return await desk.take(letters, retention_days=1, due_s=due, leave=left)

    return asyncio.run(run())


def take_one(
    one: Any, stores: Stores, *, answers: bool = True, timeout_s: float = 0.05
) -> Acceptance:
    """The fate of a mail alone, in a request with a deadline. Raises TimeoutError."""

    async def run() -> Acceptance:
        lanes = {"bulk": Lane(answers=answers)}
        desk = Desk(
            cast(dict[str, TimedQueue], lanes), cast(Tables, stores), prefix="", least_record_s=0.01
        )
        async with asyncio.timeout(timeout_s) as deadline:
            return await desk.take_one(one, retention_days=1, deadline=deadline)

    return asyncio.run(run())


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("write", [Applied(), Refused(None), THROTTLED, NEVER])
@pytest.mark.parametrize("reads", [[THROTTLED], [[], []], [[], THROTTLED]])
def test_a_mail_alone_has_the_fate_that_it_has_among_others(
    key: str | None, write: object, reads: list[object]
) -> None:
    one = letter(key=key)
    among, _ = take([one, letter()], Stores(write, *reads))
    assert repr(take_one(one, Stores(write, *reads))) == repr(among)


def test_a_mail_alone_is_cut_with_its_request_until_it_is_on_the_queue() -> None:
    with pytest.raises(TimeoutError):
        take_one(letter(), Stores(Applied()), answers=False)
    assert take_one(letter(), Stores(NEVER), timeout_s=0.01) == Taken()
    assert isinstance(take_one(letter(key="k"), Stores(Applied(), NEVER)), CallFailed)
    assert isinstance(take_one(letter(key="k"), Stores(NEVER, []), timeout_s=0.01), CallFailed)


def test_mail_on_the_queue_is_promised_though_its_record_is_not_written_in_time() -> None:
    plain, keyed = take([letter(), letter(key="k")], Stores(NEVER, []))
    assert plain == Taken()
    assert isinstance(keyed, CallFailed)


def test_mail_that_one_queue_took_is_promised_though_another_queue_does_not_answer() -> None:
    letters = [letter(), letter(stream="transactional"), letter()]
    fates = take(letters, Stores(Applied()), slow=frozenset({"transactional"}))
    assert (fates[0], fates[2]) == (Taken(), Taken())
    assert isinstance(fates[1], CallFailed)
    assert fates[1].kind == Kind.IN_DOUBT


def test_keys_whose_records_cannot_be_read_are_no_fault_of_their_neighbours() -> None:
    for first in (THROTTLED, NEVER):
        plain, keyed = take([letter(), letter(key="k")], Stores(Applied(), first))
        assert plain == Taken()
        assert isinstance(keyed, CallFailed)


def test_a_failed_read_after_the_enqueue_fails_only_those_it_was_for() -> None:
    known = Stores(Refused(None), [], THROTTLED)
    plain, keyed = take([letter(), letter(key="k")], known)
    assert plain == Taken()
    assert keyed is THROTTLED


@pytest.mark.parametrize(
    ("write", "times"), [(Applied(), 2), (Refused(None), 0), (THROTTLED, 0), (NEVER, 0)]
)
def test_the_instant_after_a_record_is_only_where_one_was_written(
    monkeypatch: pytest.MonkeyPatch, write: object, times: int
) -> None:
    hits = list[str]()
    monkeypatch.setattr(failpoints, "hit", hits.append)
    take([letter(), letter()], Stores(write))
    assert hits == ["ingest.queued"] * 2 + ["ingest.recorded"] * times
