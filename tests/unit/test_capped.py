"""Caps are taken before the account's slots: who waits, and who goes back."""

import asyncio
import math

import pytest

from mailpipe.messages import Email, EmailMessage
from sender.binding import DOMAIN_CAP, NOTHING, TENANT_CAP, Binding
from sender.capped import goes_back, over_cap
from sender.pacing import Reservation
from sender.settings import SenderSettings

MESSAGE = EmailMessage(
    email_id="e1",
    tenant="acme",
    stream="bulk",
    queued_at="2026-11-24T10:00:00.000Z",
    email=Email(to=["a@example.net"], from_="Shop <b@Shop.example>", subject="s", body_text="t"),
)
TENANT, DOMAIN = "tenant#acme", "domain#shop.example"


class Caps:
    """A limiter with these waits, by scope."""

    def __init__(self, waits: dict[str, float]) -> None:
        self.asked = list[str]()
        self._waits = waits

    async def reserve(self, lane: str, recipients: int, at_most: int) -> Reservation:
        raise AssertionError("caps come first")

    def any_cap(self) -> bool:
        return bool(self._waits)

    async def cap_wait_s(self, scope: str, recipients: int) -> float:
        self.asked.append(scope)
        return self._waits.get(scope, 0.0)

    def throttled(self) -> None:
        raise AssertionError("nothing was sent")


@pytest.mark.parametrize(
    ("waits", "over", "asked"),
    [
        ({}, None, [TENANT, DOMAIN]),
        ({TENANT: 0.001, DOMAIN: 0.001}, None, [TENANT, DOMAIN]),
        ({TENANT: math.inf}, TENANT_CAP, [TENANT]),
        ({DOMAIN: math.inf}, DOMAIN_CAP, [TENANT, DOMAIN]),
    ],
)
async def test_a_mail_waits_for_both_caps_and_goes_back_where_one_has_no_slot(
    waits: dict[str, float], over: str | None, asked: list[str]
) -> None:
    caps, binding = Caps(waits), Binding()
    assert await over_cap(caps, binding, MESSAGE, 1) == over
    assert caps.asked == asked
    assert binding.binds(asyncio.get_running_loop().time()) == (over or NOTHING)


def test_what_goes_back_comes_again_within_the_bounds() -> None:
    settings = SenderSettings(
        address_hash_key="k" * 32, trust_sender_id=False, excess_min_s=5, excess_max_s=15
    )
    waits = [goes_back(settings).after_s for _ in range(200)]
    assert 5 <= min(waits) < 7
    assert 13 < max(waits) <= 15
