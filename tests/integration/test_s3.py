"""The bucket of bodies, on the local cloud and against a server that fails by script."""

import hashlib

import pytest

from infra.local.stack import Stack
from mailpipe.aws.client import Aws
from mailpipe.aws.s3 import TooLarge, open_bucket
from mailpipe.outcomes import CallFailed, Kind
from tests.integration.scripted_aws import Sides, always, answer, each

KEY = "bodies/default/e1/x"


async def test_what_was_put_comes_back(aws: Stack) -> None:
    body = b"\x00\xff" * 3_000_000
    async with Aws() as opened:
        bucket = open_bucket(opened, aws.bodies_bucket, timeout_s=10)
        await bucket.put(KEY, body)
        found = await bucket.get(KEY, max_bytes=len(body))
        assert hashlib.sha256(found or b"").digest() == hashlib.sha256(body).digest()
        assert await bucket.get(f"{KEY}-none", max_bytes=10) is None
        with pytest.raises(TooLarge):
            await bucket.get(KEY, max_bytes=len(body) - 1)
        assert await bucket.get(KEY, max_bytes=len(body)) is not None


async def test_a_bucket_that_is_none_is_a_fault_of_the_configuration(aws: Stack) -> None:
    async with Aws() as opened:
        bucket = open_bucket(opened, "mailpipe-nobody-has-made-this", timeout_s=10)
        for call in (bucket.put(KEY, b"x"), bucket.get(KEY, max_bytes=1)):
            with pytest.raises(CallFailed) as failed:
                await call
            assert failed.value.kind is Kind.CONFIGURATION


def xml(code: str) -> bytes:
    """An error as S3 answers it."""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", Kind.CONFIGURATION),
        (404, "NoSuchBucket", Kind.CONFIGURATION),
        (400, "InvalidRequest", Kind.REFUSED),
    ],
)
async def test_what_s3_answers_has_its_kind(
    sides: Sides, status: int, code: str, kind: Kind
) -> None:
    sides.serve = always(answer(xml(code), status=status))
    async with Aws() as opened:
        with pytest.raises(CallFailed) as failed:
            await open_bucket(opened, "bucket", timeout_s=5).get(KEY, max_bytes=1)
    assert (failed.value.kind, failed.value.code) == (kind, code)


async def test_a_passing_fault_is_passed_over_and_a_cut_answer_is_no_body(sides: Sides) -> None:
    answers = [answer(xml("SlowDown"), status=503), answer(b"half", length=10), answer(b"whole")]
    sides.serve = each(lambda: answers.pop(0), then_close=True)
    async with Aws() as opened:
        bucket = open_bucket(opened, "bucket", timeout_s=5)
        assert await bucket.get(KEY, max_bytes=100) == b"whole"
    assert answers == []


async def test_nothing_is_read_of_what_is_too_large(sides: Sides) -> None:
    sides.serve = always(answer(b"", length=5_000_000_000))
    async with Aws() as opened:
        with pytest.raises(TooLarge):
            await open_bucket(opened, "bucket", timeout_s=5).get(KEY, max_bytes=50_000_000)
