"""How long what has ended is kept: as its tenant wants it, and while a message of it may come."""

import asyncio
from typing import cast

import pytest

from mailpipe.aws.table import Tables
from mailpipe.records import Attributes
from mailpipe.resources import WAITS_AT_MOST_DAYS
from mailpipe.tenants import Retention, Tenant, Tenants, item_of

DAY_S = 86_400


class Stored:
    """Tables that hold these tenants."""

    def __init__(self, *tenants: Tenant) -> None:
        self._items = {one.tenant: item_of(one) for one in tenants}

    async def get(self, _: str, key: Attributes) -> Attributes | None:
        return self._items.get(str(key["id"]))


def kept_s(tenant: str, usual_days: int) -> int:
    """Seconds from the end on."""
    stored = Stored(
        Tenant(tenant="long", retention_days=180),
        Tenant(tenant="short", retention_days=1),
        Tenant(tenant="usual"),
    )
    retention = Retention(Tenants(cast(Tables, stored)), usual_days=usual_days)
    return asyncio.run(retention.expiry(tenant, 5_000)) - 5


@pytest.mark.parametrize(
    ("tenant", "days"), [("long", 180), ("usual", 90), ("default", 90), ("gone", 90)]
)
def test_a_tenants_own_days_count_before_the_usual_ones(tenant: str, days: int) -> None:
    assert kept_s(tenant, 90) == days * DAY_S


@pytest.mark.parametrize("tenant", ["short", "usual", "default", "gone"])
def test_nothing_is_forgotten_while_a_message_of_it_may_wait(tenant: str) -> None:
    """A cancelled mail whose record was gone was sent when its pause was over."""
    assert kept_s(tenant, 1) > WAITS_AT_MOST_DAYS * DAY_S
