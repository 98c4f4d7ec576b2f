"""The whole pipeline, started once."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from infra.local.mails import Doors, open_doors
from infra.local.stack import Plan, Stack

TYPES = [
    *("email.sent", "email.delivered", "email.bounced", "email.suppressed", "email.rejected"),
    "email.cancelled",
]


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """Every process, with two endpoints; webhooks are tried again ten times as fast as usual, what
    SES allows is read sixty times as often.
    """
    plan = Plan(
        name="test-stack",
        rate=100,
        stores_proxy=True,
        endpoints={"one": TYPES, "two": TYPES},
        settings={
            "MAILPIPE_NOTIFIER_RETRY_BASE_S": "0.1",
            "MAILPIPE_SENDER_QUOTA_REFRESH_S": "0.5",
            "MAILPIPE_SENDER_BOARD_REFRESH_S": "0.3",
            "MAILPIPE_SENDER_PROBE_S": "0.5",
        },
    )
    async with Stack(plan) as started:
        yield started


@pytest.fixture
async def doors(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Doors]:
    """Both doors of the pipeline."""
    for name, value in stack.aws_environment().items():
        monkeypatch.setenv(name, value)
    async with open_doors(stack.ingest_url) as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
