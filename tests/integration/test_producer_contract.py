"""The producer, async and blocking, against the local cloud and against an Outbox: one suite."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import msgspec
import pytest

from infra.local.stack import Stack
from mailpipe import (
    Accepted,
    Attachment,
    CallFailed,
    Closed,
    Email,
    Keyed,
    NotAccepted,
    Producer,
    Refused,
    ValidationError,
)
from mailpipe.aws.client import Aws
from mailpipe.aws.queues import open_queues
from mailpipe.bodies import open_bodies
from mailpipe.messages import email_decoder, keyed_email_id
from mailpipe.resources import LANES
from mailpipe.testing import Mail, Outbox

LARGE = "ü" * 40_000


def email(number: int = 0, **changes: object) -> Email:
    """A good e-mail, changed."""
    good = Email(
        to=["a@example.com"], from_="b@example.com", subject=f"Mail {number}", body_text="Hello"
    )
    return msgspec.structs.replace(good, **changes)


@dataclass
class Place:
    """Where mail goes, and how what has arrived there is read."""

    arrived: Callable[[], Awaitable[dict[str, Mail]]]


@pytest.fixture
def in_outbox() -> Iterator[Place]:
    with Outbox() as outbox:

        async def mails() -> dict[str, Mail]:
            return {mail.email_id: mail for mail in outbox.mails}

        yield Place(mails)


@pytest.fixture
async def in_cloud(aws: Stack) -> AsyncIterator[Place]:
    async with Aws() as opened:
        queues, bodies = (
            await open_queues(opened, "mailpipe-"),
            open_bodies(opened, aws.bodies_bucket),
        )
        lanes = [await queues.open(name) for name in LANES.values()]

        async def read() -> dict[str, Mail]:
            """All that lies on the queues; the same id twice is one mail."""
            found = dict[str, Mail]()
            for lane in lanes:
                while messages := await lane.receive(10, wait_s=0, visibility_s=30):
                    for one in messages:
                        it = await bodies.whole(email_decoder.decode(one.body))
                        mail = Mail(it.email, it.email_id, it.tenant, it.stream)
                        found.setdefault(it.email_id, mail)
                    await lane.delete([one.receipt for one in messages])
            return found

        await read()
        yield Place(read)


@pytest.fixture(params=["in_cloud", "in_outbox"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


async def test_what_was_sent_arrives_as_it_was_given(place: Place) -> None:
    one = email(
        cc=["Ü <c@bücher.example>"],
        metadata={"a": 1, "b": None},
        tags={"t": "1"},
        headers={"X": "y"},
    )
    async with Producer(tenant="acme") as producer:
        email_id = await producer.send(one)
    assert await place.arrived() == {email_id: Mail(one, email_id, "acme", "transactional")}


async def test_large_mail_and_attachments_arrive_whole(place: Place) -> None:
    name = Attachment(filename="a.pdf", content_type="application/pdf", content="A" * 80_000)
    ones = [email(body_text=LARGE), email(attachments=[name])]
    async with Producer() as producer:
        ids = [await producer.send(one) for one in ones]
        fates = [fate async for fate in producer.send_many(ones)]
    arrived = await place.arrived()
    assert [arrived[email_id].email for email_id in ids] == ones
    assert [arrived[fate.email_id].email for fate in fates if fate.email_id] == ones


async def test_the_same_id_or_key_twice_is_one_mail(place: Place) -> None:
    async with Producer() as producer:
        ids = {
            await producer.send(email(), email_id="mine"),
            await producer.send(email(), email_id="mine"),
            await producer.send(email(), idempotency_key="order 7"),
            await producer.send(email(body_text=LARGE), idempotency_key="order 7"),
        }
    assert ids == {"mine", keyed_email_id("default", "order 7")}
    assert (await place.arrived()).keys() == ids


async def test_a_broken_rule_names_field_and_constraint_and_nothing_arrives(place: Place) -> None:
    async with Producer() as producer:
        for broken in (email(subject=""), email(subject="", body_text=LARGE)):
            with pytest.raises(ValidationError) as refused:
                await producer.send(broken)
            assert (refused.value.field, refused.value.constraint) == ("subject", "required")
        with pytest.raises(ValidationError) as refused:
            await producer.send(email(), email_id="a b")
        assert refused.value.field == "emailId"
        with pytest.raises(ValidationError) as refused:
            await producer.send(email(), idempotency_key="")
        assert refused.value.field == "Idempotency-Key"
    assert await place.arrived() == {}


async def test_each_of_many_hears_of_its_own_fate_in_order(place: Place) -> None:
    mails = [email(number) for number in range(45)]
    mails[7] = email(to=[])
    mails[20] = email(20, body_text=LARGE)
    async with Producer() as producer:
        fates = [fate async for fate in producer.send_many(mails)]
    assert [number for number, fate in enumerate(fates) if isinstance(fate, Refused)] == [7]
    refused = fates[7]
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, ValidationError)
    assert (refused.error.field, refused.email_id) == ("to", None)
    arrived = await place.arrived()
    subjects = [arrived[fate.email_id].email.subject for fate in fates if fate.email_id]
    assert subjects == [f"Mail {number}" for number in range(45) if number != 7]
    assert {mail.stream for mail in arrived.values()} == {"bulk"}


async def test_an_async_source_is_told_of_each_mail_before_it_gives_the_next(place: Place) -> None:
    heard = asyncio.Event()

    async def source() -> AsyncIterator[Email | Keyed]:
        for number in range(3):
            heard.clear()
            yield Keyed(email(number), stream="transactional", email_id=f"own-{number}")
            await asyncio.wait_for(heard.wait(), 10)

    ids = []
    async with Producer() as producer:
        async for fate in producer.send_many(source()):
            assert isinstance(fate, Accepted)
            ids.append(fate.email_id)
            heard.set()
    assert ids == ["own-0", "own-1", "own-2"]
    assert {mail.stream for mail in (await place.arrived()).values()} == {"transactional"}


async def test_what_the_source_raises_comes_after_the_fates_of_what_it_gave(place: Place) -> None:
    def source() -> Iterator[Email]:
        yield email(1)
        yield email(2)
        raise LookupError("the table is gone")

    async with Producer() as producer:
        fates = producer.send_many(source())
        heard = [await anext(fates), await anext(fates)]
        with pytest.raises(LookupError):
            await anext(fates)
    assert (await place.arrived()).keys() == {fate.email_id for fate in heard}


async def test_what_is_no_mail_is_refused_without_ending_the_rest(place: Place) -> None:
    mails: list[object] = [email(1), {"to": "a@example.com"}, email(2)]
    async with Producer() as producer:
        fates = [fate async for fate in producer.send_many(mails)]  # type: ignore[arg-type]
    assert [type(fate) for fate in fates] == [Accepted, Refused, Accepted]


async def test_only_an_open_producer_sends(place: Place) -> None:
    producer = Producer()
    with pytest.raises(Closed):
        await producer.send(email())
    async with producer:
        await producer.send(email())
    with pytest.raises(Closed):
        await producer.send(email())
    with pytest.raises(Closed):
        async for _ in producer.send_many([email()]):
            pass
    assert len(await place.arrived()) == 1


async def test_the_blocking_face_is_the_same(place: Place) -> None:
    def work() -> tuple[str, list[Accepted | Refused]]:
        with Producer.sync(tenant="acme") as producer:
            with pytest.raises(ValidationError):
                producer.send(email(subject=""))
            sent = producer.send(email(body_text=LARGE), idempotency_key="k")
            fates = list(
                producer.send_many(
                    email(number, to=[]) if number == 3 else email(number) for number in range(450)
                )
            )
        with pytest.raises(Closed):
            producer.send(email())
        return sent, fates

    sent, fates = await asyncio.to_thread(work)
    arrived = await place.arrived()
    assert arrived[sent].email.body_text == LARGE
    assert len(arrived) == 450
    assert [number for number, fate in enumerate(fates) if isinstance(fate, Refused)] == [3]
    in_order = [arrived[fate.email_id].email.subject for fate in fates if fate.email_id]
    assert in_order == [f"Mail {number}" for number in range(450) if number != 3]


async def test_without_a_bucket_large_mail_is_not_accepted_and_small_mail_is(aws: Stack) -> None:
    async with Producer(bodies_bucket="") as producer:
        with pytest.raises(NotAccepted, match="MAILPIPE_BODIES_BUCKET") as failed:
            await producer.send(email(body_text=LARGE), email_id="mine")
        assert (failed.value.email_id, failed.value.in_doubt) == ("mine", False)
        fates = [one async for one in producer.send_many([email(body_text=LARGE), email()])]
        assert [type(fate) for fate in fates] == [Refused, Accepted]
        assert fates[0].email_id


async def test_a_queue_that_is_not_there_is_said_at_once(aws: Stack) -> None:
    with pytest.raises(CallFailed, match=r"QueueDoesNotExist|NonExistentQueue"):
        async with Producer(prefix="nobody-"):
            pass
    with pytest.raises(CallFailed):
        await asyncio.to_thread(Producer.sync(prefix="nobody-").send, email())
