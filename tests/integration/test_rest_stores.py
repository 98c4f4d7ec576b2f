"""What the REST door says when there is too much, or a store is slow or gone: never a yes for what
is not durable.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from infra.local.stack import Stack
from ingest.emails import BATCHES_BYTES
from mailpipe import resources
from mailpipe.aws.queue import Outgoing
from mailpipe.aws.table import Tables
from mailpipe.messages import email_decoder, keyed_email_id
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement
from mailpipe.records import Attributes
from tests.integration.rest_door import MAIL, Door, Said, open_door

THROTTLED = CallFailed(Kind.THROTTLED, "Throttled")
LATE = CallFailed(Kind.IN_DOUBT, "TimeoutError")
LONG = {"emails": [MAIL | {"bodyText": "x" * 40_000}] * 4}
"""A batch of which few have their turn at once."""


async def passes(due_s: float | None) -> None:
    """This time of the loop's clock, or for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(due_s):
            await asyncio.Event().wait()


class Queue:
    """Takes nothing: each message has this fate; None never answers."""

    def __init__(self, fate: CallFailed | None) -> None:
        self.fate = fate

    async def send(self, messages: Sequence[Outgoing]) -> list[CallFailed | None]:
        return await self.send_until(messages, None)

    async def send_until(
        self, messages: Sequence[Outgoing], due_s: float | None
    ) -> list[CallFailed | None]:
        if self.fate is not None:
            return [self.fate for _ in messages]
        await passes(due_s)
        return [LATE for _ in messages]


class Slow:
    """Takes everything, and says so when it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.taken = 0

    async def send_until(self, messages: Sequence[Outgoing], _: float) -> list[None]:
        self.taken += len(messages)
        await self.answers.wait()
        return [None] * len(messages)


class Unwritable:
    """Tables that are read, and not written."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def write_all(self, statements: Sequence[Statement]) -> list[CallFailed]:
        return [THROTTLED for _ in statements]


class Unending(Unwritable):
    """Tables whose writes never answer."""

    async def write_all(self, statements: Sequence[Statement]) -> list[CallFailed]:
        await asyncio.Event().wait()
        return []


class Silent(Unwritable):
    """Tables that are written, and whose reads of several items never answer."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.looks = asyncio.Semaphore(0)

    async def write_all(self, statements: Sequence[Statement]) -> list[Any]:
        return list(await self._tables.write_all(statements))

    async def get_all(self, _: str, keys: list[Attributes]) -> list[Attributes]:
        self.looks.release()
        await asyncio.Event().wait()
        return []


class Unreadable(Unwritable):
    """Tables that are neither read nor written."""

    async def get_all(self, _: str, keys: list[Attributes]) -> list[Attributes]:
        raise THROTTLED

    async def get(self, _: str, key: Attributes) -> Attributes:
        raise THROTTLED


async def ask_long(door: Door, emails: list[Any] = LONG["emails"]) -> Said:
    """Send such a batch."""
    return await door.ask("POST", "/send-emails", json={"emails": emails})


def come_again(said: Said) -> bool:
    """Whether the answer says that nothing was promised, and when to come again."""
    shown = (said.status, said.body["error"], said.body["retryAfter"])
    return shown == (503, "SERVICE_UNAVAILABLE", 2) and said.headers["Retry-After"] == "2"


@pytest.mark.parametrize("fate", [THROTTLED, None])
async def test_what_the_queue_does_not_take_is_not_promised_and_not_recorded(
    cloud_environment: Stack, fate: CallFailed | None
) -> None:
    patience = {"answer_timeout_s": 0.3} if fate is None else {}
    async with open_door(cloud_environment, queue=Queue(fate), **patience) as door:
        key = f"queue-{fate}"
        assert come_again(await door.send(headers={"Idempotency-Key": key}))
        assert await door.record(keyed_email_id("default", key)) is None
        if fate is None:
            return
        batch = await door.ask("POST", "/send-emails", json={"emails": [MAIL, {}]})
        assert (batch.status, batch.headers["Retry-After"]) == (503, "2")
        errors = [one["error"] for one in batch.body["results"]]
        assert errors == ["SERVICE_UNAVAILABLE", "VALIDATION_ERROR"]


async def test_batches_that_waited_in_vain_for_their_turn_leave_it_to_others(
    cloud_environment: Stack,
) -> None:
    queue = Queue(None)
    count = 4 + BATCHES_BYTES // len(json.dumps(LONG))
    async with open_door(cloud_environment, queue=queue, answer_timeout_s=0.5) as door:
        asked = [ask_long(door) for _ in range(count)]
        assert [said.status for said in await asyncio.gather(*asked)] == [503] * count
        queue.fate = THROTTLED
        said = await ask_long(door)
        assert [one["error"] for one in said.body["results"]] == ["SERVICE_UNAVAILABLE"] * 4


async def test_a_batch_whose_turn_comes_late_does_not_go_onto_the_queue(
    cloud_environment: Stack,
) -> None:
    """It would be told to come again though the queue has taken it."""
    queue = Slow()
    have_turns = BATCHES_BYTES // len(json.dumps(LONG))
    async with open_door(cloud_environment, queue=queue, answer_timeout_s=4) as door:
        asked = asyncio.as_completed([ask_long(door) for _ in range(have_turns + 3)])
        late = [(await next(asked)).status for _ in range(3)]
        queue.answers.set()
        assert late == [503] * 3
        assert [(await one).status for one in asked] == [202] * have_turns
    assert queue.taken == 4 * have_turns


async def test_a_look_for_records_keeps_no_batch_from_the_queue(cloud_environment: Stack) -> None:
    keyed = [MAIL | {"bodyText": "x" * 40_000, "idempotencyKey": f"k{n}"} for n in range(4)]
    have_turns = BATCHES_BYTES // len(json.dumps({"emails": keyed}))
    made = list[Silent]()

    def silent(tables: Tables) -> Silent:
        made.append(Silent(tables))
        return made[0]

    async with open_door(cloud_environment, stores=silent, answer_timeout_s=4) as door:
        waiting = [asyncio.create_task(ask_long(door, keyed)) for _ in range(have_turns)]
        for _ in waiting:
            await asyncio.wait_for(made[0].looks.acquire(), 20)
        plain = asyncio.create_task(ask_long(door))
        done, _ = await asyncio.wait([*waiting, plain], return_when=asyncio.FIRST_COMPLETED)
        assert done == {plain}
        assert plain.result().status == 202
        assert [said.status for said in await asyncio.gather(*waiting)] == [503] * have_turns


async def test_after_the_queues_yes_a_mail_is_promised_without_its_record(
    cloud_environment: Stack,
) -> None:
    async with open_door(cloud_environment, stores=Unwritable) as door:
        said = await door.send(to=["a@example.net", "b@example.net"])
        assert said.status == 202
        queued = await door.queued("transactional")
        ids = {email_decoder.decode(one.body).email_id for one in queued}
        assert said.body["emailId"] in ids


async def test_mail_on_the_queue_is_promised_though_the_request_is_overdue(
    cloud_environment: Stack,
) -> None:
    """A client that is told to come again would send a second mail."""
    async with open_door(cloud_environment, stores=Unending, answer_timeout_s=3) as door:
        plain, keyed = await asyncio.gather(
            door.send(), door.send(headers={"Idempotency-Key": "unending"})
        )
        assert plain.status == 202
        assert come_again(keyed)
        assert len(await door.queued("transactional")) == 2


async def test_records_that_cannot_be_written_keep_no_batch_from_the_queue(
    cloud_environment: Stack,
) -> None:
    count = 4 + BATCHES_BYTES // len(json.dumps(LONG))
    async with open_door(cloud_environment, stores=Unending, answer_timeout_s=3) as door:
        asked = [ask_long(door) for _ in range(count)]
        assert [said.status for said in await asyncio.gather(*asked)] == [202] * count
        assert len(await door.queued("bulk")) == 4 * count


async def test_under_a_key_a_mail_without_its_record_is_not_promised(
    cloud_environment: Stack,
) -> None:
    """Whether the key stands for this mail is known from the record only; a repeat does no harm."""
    for stores in (Unwritable, Unreadable):
        async with open_door(cloud_environment, stores=stores) as door:
            assert come_again(await door.send(headers={"Idempotency-Key": "unwritten"}))
            await door.queued("transactional")


async def test_a_table_that_does_not_answer_is_no_mail_that_is_missing(
    cloud_environment: Stack,
) -> None:
    async with open_door(cloud_environment, stores=Unreadable) as door:
        assert come_again(await door.ask("GET", "/status/some-id"))
        waited = await door.send(headers={"Prefer": "wait=5"})
        assert (waited.status, waited.body["status"]) == (202, "pending")
        for stream in resources.LANES:
            await door.queued(stream)


async def test_a_key_beyond_its_rate_is_told_when_to_come_again(
    cloud_environment: Stack,
) -> None:
    async with open_door(cloud_environment, key_per_second=2) as door:
        # Paid off in ten seconds, however long this test's next request takes.
        assert (await door.ask("POST", "/send-emails", json={"emails": [MAIL] * 20})).status == 202
        said = await door.send()
        assert (said.status, said.body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert said.headers["Retry-After"] == str(said.body["retryAfter"])
        assert 1 <= said.body["retryAfter"] <= 10
        assert await door.queued("transactional") == []
        assert (await door.ask("GET", "/health")).status == 200
        await door.queued("bulk")


async def test_refused_batches_count_against_the_rate(cloud_environment: Stack) -> None:
    async with open_door(cloud_environment, key_per_second=0.1) as door:
        body = {"emails": [MAIL] * 501}
        first = await door.ask("POST", "/send-emails", json=body)
        assert (first.status, first.body["error"]) == (413, "PAYLOAD_TOO_LARGE")
        again = await door.ask("POST", "/send-emails", json=body)
        assert (again.status, again.body["error"]) == (429, "RATE_LIMIT_EXCEEDED")
