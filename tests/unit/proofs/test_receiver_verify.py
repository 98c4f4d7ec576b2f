"""The sample receiver's check of signatures, by known answers."""

import base64
import hashlib
import hmac

import pytest

from infra.local.receiver import verified

KEY = b"0123456789abcdef0123456789abcdef"
OTHER_KEY = b"another-secret-of-thirty-2-bytes"
NOW_S = 1_700_000_000
BODY = b'{"type":"email.sent"}'


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def signature(key: bytes = KEY, *, body: bytes = BODY, timestamp: object = NOW_S) -> str:
    signed = b"msg_1." + str(timestamp).encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def check(signatures: str, *, body: bytes = BODY, timestamp: object = NOW_S) -> bool:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }
    return verified(headers, body, secret=secret(KEY), now_s=NOW_S)


def test_a_known_answer() -> None:
    assert signature() == "v1,gMbBfbNA4pB/uQBqWYrnf5ySBrgzqbJfgo5ttzUXH14="
    assert check(signature())


def test_a_tampered_body_is_refused() -> None:
    assert not check(signature(), body=BODY + b" ")


def test_another_secret_is_refused() -> None:
    assert not check(signature(OTHER_KEY))


@pytest.mark.parametrize(("offset_s", "good"), [(-300, True), (300, True), (-301, 0), (301, 0)])
def test_five_minutes_either_way_are_tolerated(offset_s: int, good: bool) -> None:
    then = NOW_S + offset_s
    assert check(signature(timestamp=then), timestamp=then) == good


@pytest.mark.parametrize(
    "timestamp", ["", "now", "1e9", "1700000000.5", "9" * 5000, "\u0661\u0667"]
)
def test_a_timestamp_that_is_no_integer_is_refused(timestamp: str) -> None:
    assert not check(signature(timestamp=timestamp), timestamp=timestamp)


@pytest.mark.parametrize("place", [0, 1])
def test_one_good_signature_of_a_rotation_is_enough(place: int) -> None:
    given = [signature(OTHER_KEY)]
    given.insert(place, signature())
    assert check(" ".join(given))


def test_unknown_versions_are_skipped() -> None:
    assert check(f"v1a,c2lnbmVk v2,{signature()[3:]} {signature()}")
    assert not check(f"v2,{signature()[3:]}")


@pytest.mark.parametrize("given", ["", "v1", "v1,", "v1,é", "v1,\udce9", ", ,"])
def test_a_malformed_signature_is_refused(given: str) -> None:
    assert not check(given)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing: str) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW_S),
        "webhook-signature": signature(),
    }
    assert verified(headers, BODY, secret=secret(KEY), now_s=NOW_S)
    assert not verified(headers | {missing: ""}, BODY, secret=secret(KEY), now_s=NOW_S)
    del headers[missing]
    assert not verified(headers, BODY, secret=secret(KEY), now_s=NOW_S)
