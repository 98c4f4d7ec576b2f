"""What a producer says of what it cannot take, and of what it has in hand at its end."""

import asyncio
from typing import Any

import pytest

from mailpipe import Accepted, Keyed, Producer, Refused, ValidationError
from mailpipe.messages import keyed_email_id
from mailpipe.producer import LARGE_AT_ONCE
from mailpipe.testing import Outbox
from tests.unit.producer_rig import LARGE, Slow, email, settle, slow

__all__ = ["slow"]


async def test_closing_names_what_had_not_yet_come_to_the_queue(slow: Slow) -> None:
    """In its upload, waiting for one, and waiting for room in the buffer."""
    producer = await Producer().__aenter__()
    large = [Keyed(email(n, LARGE), email_id=f"large-{n}") for n in range(LARGE_AT_ONCE + 1)]
    uploads = producer.send_many(large)
    first = asyncio.create_task(anext(uploads))
    sends = [asyncio.create_task(producer.send(email(0, LARGE), idempotency_key="key"))]
    for _ in range(LARGE_AT_ONCE + 1):
        await slow.began.acquire()
    slow.room.clear()
    sends.append(asyncio.create_task(producer.send(email(), email_id="small")))
    await settle()
    left = [f"large-{n}" for n in range(LARGE_AT_ONCE + 1)]
    assert sorted(await producer.close()) == sorted(
        [*left, keyed_email_id("default", "key"), "small"]
    )
    for task in (first, *sends):
        task.cancel()
    await asyncio.gather(first, *sends, return_exceptions=True)


async def test_a_loop_that_is_left_early_leaves_nothing_behind(slow: Slow) -> None:
    async with Producer() as producer:
        for _ in range(3):
            fates = producer.send_many(
                email(n, LARGE if n % 100 == 99 else "Hello") for n in range(500)
            )
            first = asyncio.create_task(anext(fates))
            await settle()
            slow.placed[-90].set_result(None)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await fates.aclose()
        assert len(producer._in_hand) > 1_000
        slow.answers = True
        slow.upload.set()
        for fate in slow.placed:
            if not fate.done():
                fate.set_result(None)
        while producer._tasks:
            await asyncio.wait(producer._tasks)
        await settle()
        assert len(producer._in_hand) == 0


WRONG = [
    (Keyed(email(), stream="oops"), "stream", "enum"),  # type: ignore[arg-type]
    (Keyed(email(0, LARGE), stream="oops"), "stream", "enum"),  # type: ignore[arg-type]
    (Keyed(email(), stream=""), "stream", "enum"),  # type: ignore[arg-type]
    (Keyed(email(), stream=["bulk"]), "stream", "enum"),  # type: ignore[arg-type]
    (Keyed("x"), "body", "type"),  # type: ignore[arg-type]
    ("x", "body", "type"),
    (None, "body", "type"),
    (Keyed(email(), email_id=5), "emailId", "id_syntax"),  # type: ignore[arg-type]
    (Keyed(email(), email_id=""), "emailId", "id_syntax"),
    (Keyed(email(0, LARGE), email_id=""), "emailId", "id_syntax"),
    (Keyed(email(), idempotency_key="\ud800"), "Idempotency-Key", "idempotency_key_syntax"),
    (Keyed(email(0, LARGE), idempotency_key="\ud800"), "Idempotency-Key", "idempotency_key_syntax"),
]


async def test_many_raises_for_none_of_them(outbox: Outbox) -> None:
    mails: list[Any] = [one for wrong, _, _ in WRONG for one in (wrong, email())]
    async with Producer() as producer:
        fates = [fate async for fate in producer.send_many(mails)]
    assert all(isinstance(fate, Accepted) for fate in fates[1::2])
    refused = [fate.error for fate in fates[::2] if isinstance(fate, Refused)]
    errors = [error for error in refused if isinstance(error, ValidationError)]
    assert [(e.field, e.constraint) for e in errors] == [tuple(wrong[1:]) for wrong in WRONG]
    assert len(outbox.mails) == len(WRONG)


@pytest.mark.parametrize(("mail", "field", "constraint"), WRONG)
def test_both_faces_refuse_one_with_the_same_error(
    outbox: Outbox, mail: Any, field: str, constraint: str
) -> None:
    keyed = mail if isinstance(mail, Keyed) else Keyed(mail)
    with Producer.sync() as producer, pytest.raises(ValidationError) as refused:
        producer.send(
            keyed.email,
            stream="bulk" if keyed.stream is None else keyed.stream,
            email_id=keyed.email_id,
            idempotency_key=keyed.idempotency_key,
        )
    assert (refused.value.field, refused.value.constraint) == (field, constraint)
    with Producer.sync() as producer:
        (fate,) = producer.send_many([mail])
    assert isinstance(fate, Refused)
    assert outbox.mails == []
