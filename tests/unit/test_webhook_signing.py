"""Standard Webhooks signatures, and the schedule of retries."""

import base64
import hashlib
import hmac

import pytest

from notifier.schedule import next_wait_s
from notifier.signing import headers

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def test_a_known_answer() -> None:
    signed = headers("msg_1", b'{"a":1}', secrets=[SECRET], timestamp_s=1_700_000_000)
    expected = hmac.new(KEY, b'msg_1.1700000000.{"a":1}', hashlib.sha256).digest()
    assert signed == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1," + base64.b64encode(expected).decode(),
    }


def test_a_rotation_signs_with_both_secrets() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    signed = headers("msg_1", b"{}", secrets=[SECRET, other], timestamp_s=1)
    signatures = signed["webhook-signature"].split(" ")
    assert len(set(signatures)) == 2
    assert all(one.startswith("v1,") for one in signatures)


@pytest.mark.parametrize("secret", ["nope", "whsec_!!!"])
def test_a_malformed_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's error is one
        headers("msg_1", b"{}", secrets=[secret], timestamp_s=1)


def test_five_retries_double_from_one_second() -> None:
    waits = [next_wait_s(attempt, base_s=1) for attempt in range(1, 7)]
    assert waits == [1, 2, 4, 8, 16, None]
