"""The tables in memory and those of the local cloud do the same with all of our statements."""

import random

import pytest

from mailpipe import resources
from mailpipe.aws.table import Applied, Refused, Tables
from mailpipe.messages import new_email_id
from mailpipe.partiql import Statement, delete_from, update_in
from tests import writes_of_a_mail as mail
from tests.integration.conftest import PREFIX, Parts
from tests.unit.memory_tables import MemoryTables


def of_another_mail(statement: Statement, email_id: str) -> Statement:
    """The same for a record of its own."""

    def own(value: object) -> object:
        return email_id if value == mail.EMAIL_ID else value

    return Statement(
        statement.text,
        tuple(map(own, statement.parameters)),  # type: ignore[arg-type]
        tuple(map(own, statement.key)),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_writes_have_the_same_fates_and_leave_the_same(
    parts: Parts, seed: int
) -> None:
    chosen, email_id = random.Random(seed), new_email_id()
    forms = [
        of_another_mail(one, email_id)
        for one in (await mail.forms()).values()
        if resources.EMAIL_TRACKING in one.text and mail.EMAIL_ID in one.key
    ]
    memory, real = MemoryTables(PREFIX), parts.tables
    both: list[MemoryTables | Tables] = [memory, real]
    for one in chosen.choices(forms, k=30):
        in_memory, in_cloud = [await tables.write(one) for tables in both]
        assert in_memory == in_cloud, one
    key = {"emailId": email_id}
    left = [await tables.get(resources.EMAIL_TRACKING, key) for tables in both]
    assert left[0] == left[1]
    assert left[0] is not None


async def test_what_is_not_there_cannot_be_changed_but_deleted(parts: Parts) -> None:
    table, key = resources.COORDINATION, {"kind": "lease", "id": f"no-{new_email_id()}"}
    change = update_in(PREFIX, table, {"holder": "me"}, key, ("holder", "=", "me"))
    for tables in (MemoryTables(PREFIX), parts.tables):
        assert await tables.write(change) == Refused(None)
        assert await tables.write(delete_from(PREFIX, table, key)) == Applied()
        assert await tables.get(table, key) is None
