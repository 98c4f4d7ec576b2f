"""Claim checks: what goes to S3, what comes back, and what never does."""

import asyncio
import json
from hashlib import sha256

import msgspec
import pytest

from mailpipe.accepting import Arrival
from mailpipe.aws.client import Aws
from mailpipe.bodies import (
    MAX_BODY_BYTES,
    MAX_IN_HAND_BYTES,
    BadPointer,
    Bodies,
    BodyMissing,
    open_bodies_of_lanes,
    small,
    small_all,
)
from mailpipe.messages import (
    Attachment,
    BodyPointer,
    Email,
    EmailMessage,
    Stream,
    email_decoder,
    encode,
)
from mailpipe.outbox import MemoryBucket
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.rules import ValidationError, Violation

LARGE = "x" * 60_000


def email(**changes: object) -> Email:
    """A good e-mail, changed."""
    good = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="Hello")
    return msgspec.structs.replace(good, **changes)


def message(one: Email) -> EmailMessage:
    """Its message."""
    return Arrival("acme").accepted(one, "bulk", email_id="e1")


async def checked_in(
    one: Email, bucket: MemoryBucket | None = None
) -> tuple[MemoryBucket, EmailMessage]:
    """The bucket, and the message as a sender reads it."""
    bucket = bucket or MemoryBucket()
    outgoing = await Bodies(bucket).outgoing(message(one))
    return bucket, email_decoder.decode(outgoing.body)


async def test_the_body_of_mail_for_later_lies_where_it_is_kept_for_a_year() -> None:
    bucket, read = await checked_in(email(body_text=LARGE, send_at="2020-01-01T00:00:00Z"))
    ((key, stored),) = bucket.objects.items()
    assert key == f"scheduled/acme/e1/{sha256(stored).hexdigest()}"
    assert (await Bodies(bucket).whole(read)).email.body_text == LARGE
    assert await Bodies(bucket).kept_longer(read) is None


@pytest.mark.parametrize(
    "wrong", [{"s3_key": "bodies/other/e1/x"}, {"size": 10}, {"sha256": "nope"}]
)
async def test_only_a_body_of_its_own_is_kept_longer(wrong: dict[str, object]) -> None:
    bucket, read = await checked_in(email(body_text=LARGE))
    assert read.body is not None
    read.body = msgspec.structs.replace(read.body, **wrong)
    assert await Bodies(bucket).kept_longer(read) is None
    assert len(bucket.objects) == 1


def test_several_are_written_as_each_by_itself() -> None:
    drafts: list[tuple[Email, Stream, str | None]] = [
        (email(subject="one"), "bulk", None),
        (email(subject=""), "bulk", "k"),
        (email(subject="two"), "transactional", "k"),
        (email(subject="three"), "bulk", "\n"),
        (email(subject="four", metadata={str(n): "x" * 80 for n in range(40)}), "bulk", None),
        (email(subject="five", body_text='"' * 40_000), "bulk", None),
    ]
    first, empty, keyed, bad_key, fourth, long = small_all(
        drafts, Arrival("acme", most=6), domains=["example.com"]
    )
    assert isinstance(empty, Violation)
    assert empty.field == "subject"
    assert isinstance(bad_key, Violation)
    assert bad_key.field == "Idempotency-Key"
    assert long is None, "twice as long on the queue, where quotes are escaped"
    for draft, made in zip((drafts[0], drafts[2], drafts[4]), (first, keyed, fourth), strict=True):
        assert isinstance(made, tuple)
        message, outgoing = made
        assert (message.email, message.stream) == draft[:2]
        assert email_decoder.decode(outgoing.body) == message
    assert isinstance(keyed, tuple)
    alone = small(email(subject="two"), "transactional", Arrival("acme"), idempotency_key="k")
    assert alone is not None
    assert (keyed[0].email_id, keyed[0].fingerprint) == (alone[0].email_id, alone[0].fingerprint)
    (foreign,) = small_all(drafts[:1], Arrival("acme"), domains=["other.example"])
    assert isinstance(foreign, Violation)
    assert foreign.constraint == "from_domain"


async def test_a_small_mail_travels_in_its_message() -> None:
    bucket, read = await checked_in(email())
    assert bucket.objects == {}
    assert read.body is None
    assert read.email.body_text == "Hello"


@pytest.mark.parametrize(
    "large",
    [
        email(body_text=LARGE),
        email(body_html=LARGE, body_text=None),
        email(body_text="ü" * 30_000),  # six bytes each once it is escaped
        email(attachments=[Attachment(filename="a", content_type="a/b", content="A" * 60_000)]),
    ],
)
async def test_a_large_mail_leaves_its_body_in_s3_and_comes_back_whole(large: Email) -> None:
    large = msgspec.structs.replace(large, metadata={"a": 1.5}, tags={"t": "1"}, cc=["c@d.example"])
    bucket, read = await checked_in(large)
    ((key, stored),) = bucket.objects.items()
    assert key == f"bodies/acme/e1/{sha256(stored).hexdigest()}"
    assert len(encode(read)) < 2_000
    assert (read.email.body_text, read.email.body_html, read.email.attachments) == (None, None, [])
    assert (read.email.to, read.email.cc, read.email.tags) == (large.to, large.cc, large.tags)
    whole = await Bodies(bucket).whole(read)
    assert whole.email == large


async def test_another_mail_under_the_same_id_does_not_overwrite_the_first() -> None:
    bucket, first = await checked_in(email(body_text=LARGE))
    _, second = await checked_in(email(body_text=LARGE + "y"), bucket)
    assert len(bucket.objects) == 2
    assert (await Bodies(bucket).whole(first)).email.body_text == LARGE
    assert (await Bodies(bucket).whole(second)).email.body_text == LARGE + "y"


async def test_both_doors_accept_large_and_small_alike() -> None:
    bodies = Bodies(MemoryBucket())
    for one in (email(), email(body_text=LARGE)):
        whole, outgoing = await bodies.accept(one, tenant="acme", stream="bulk")
        assert whole.email == one
        read = email_decoder.decode(outgoing.body)
        assert (await bodies.whole(read)).email == one
    for broken in (email(subject=""), email(subject="", body_text=LARGE)):
        with pytest.raises(ValidationError, match="subject"):
            await bodies.accept(broken, tenant="acme", stream="bulk")


async def test_without_a_bucket_the_error_names_the_setting() -> None:
    with pytest.raises(CallFailed, match="MAILPIPE_BODIES_BUCKET") as failed:
        await Bodies(None).outgoing(message(email(body_text=LARGE)))
    assert failed.value.kind is Kind.CONFIGURATION


@pytest.mark.parametrize(
    "changes",
    [
        {"s3_key": "bodies/other/e1/x"},
        {"s3_key": "bodies/acme/../other/x"},
        {"s3_key": "bodies/acme//other"},
        {"s3_key": "bodies/acme"},
        {"s3_key": "/bodies/acme/e1/x"},
        {"s3_key": "s3://elsewhere/bodies/acme/e1/x"},
        {"s3_key": "https://169.254.169.254/bodies/acme/x"},
        {"s3_key": "bodies/acme/" + "x" * 1_100},
        {"s3_key": "bodies/acme/x\n"},
        {"size": 5_000_000_000},
        {"size": MAX_BODY_BYTES + 1},
        {"size": 0},
        {"size": -1},
        {"sha256": "A" * 64},
        {"sha256": ""},
    ],
)
async def test_a_pointer_that_is_none_is_never_followed(changes: dict[str, object]) -> None:
    bucket, read = await checked_in(email(body_text=LARGE))
    assert read.body is not None
    bad = msgspec.structs.replace(read, body=msgspec.structs.replace(read.body, **changes))
    with pytest.raises(BadPointer):
        await Bodies(bucket).whole(bad)
    assert bucket.asked == []


async def test_what_lies_there_must_be_what_was_put() -> None:
    bucket, read = await checked_in(email(body_text=LARGE))
    assert read.body is not None
    key, stored = read.body.s3_key, bucket.objects[read.body.s3_key]
    for other in (stored + b" ", stored[:-1], stored.replace(b"xx", b"xy", 1)):
        bucket.objects[key] = other
        with pytest.raises(BadPointer):
            await Bodies(bucket).whole(read)
    del bucket.objects[key]
    with pytest.raises(BodyMissing):
        await Bodies(bucket).whole(read)


@pytest.mark.parametrize(
    "stored",
    [
        b"not JSON",
        json.dumps(
            {"to": ["victim@example.net"], "from": "b@example.com", "subject": "Hi"}
        ).encode(),
    ],
)
async def test_an_object_that_is_no_mail_or_another_one_is_refused(stored: bytes) -> None:
    bucket = MemoryBucket()
    pointer = BodyPointer(
        s3_key="bodies/acme/e1/x", size=len(stored), sha256=sha256(stored).hexdigest()
    )
    bucket.objects[pointer.s3_key] = stored
    pointed = msgspec.structs.replace(message(email()), body=pointer)
    with pytest.raises(BadPointer):
        await Bodies(bucket).whole(pointed)


async def test_bulk_mail_in_hand_takes_no_room_from_transactional_mail() -> None:
    async with Aws() as aws:
        lanes = open_bodies_of_lanes(aws, "bodies")
        bulk, other = lanes["bulk"]._room, lanes["transactional"]._room
        async with bulk.take(MAX_IN_HAND_BYTES), asyncio.timeout(5), other.take(1):
            pass
