"""Many callers share calls to the local cloud, and each gets the fate of its own entry."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from mailpipe import records, resources
from mailpipe.aws import dynamodb_operations as ddb
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.table import Applied, Fate, Refused, Tables
from mailpipe.endpoints import Endpoints
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement, insert_into
from mailpipe.statements import EmailStatements
from mailpipe.tenants import Retention, Tenants
from mailpipe.timing import now_ms
from sender.claims import Won
from sender.store import SenderStore
from tests.integration.conftest import HASH_KEY, PREFIX, Parts, message

WRITES = EmailStatements(PREFIX)


class Watched:
    """The real client; remembers its calls and throttles statements of a batch, as AWS does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls = list[Any]()
        self.throttle = list[set[int]]()

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        self.calls.append(request)
        held = set[int]()
        if isinstance(request, ddb.BatchExecuteStatement) and self.throttle:
            held = self.throttle.pop(0)
            kept = [one for n, one in enumerate(request.statements) if n not in held]
            fates = iter(())
            if kept:
                sent = ddb.BatchExecuteStatement(statements=kept)
                answer = await self._client.call(ddb.BATCH_EXECUTE_STATEMENT, sent)
                fates = iter(answer.responses)  # type: ignore[assignment]
            slow = ddb.StatementAnswer(error=ddb.StatementError(code="ThrottlingError"))
            responses = [slow if n in held else next(fates) for n in range(len(request.statements))]
            whole: Any = ddb.BatchStatementAnswer(responses=responses)
            return whole  # type: ignore[no-any-return]
        return await self._client.call(operation, request, gate=gate)


@pytest.fixture
async def watched(parts: Parts) -> AsyncIterator[tuple[Tables, Watched]]:
    async with Aws() as opened:
        client = Watched(await opened.client("dynamodb", connections=8, timeout_s=5))
        tables = Tables(client, PREFIX)
        yield tables, client
        await tables.close()


def born(count: int) -> list[Statement]:
    made = []
    for _ in range(count):
        one = message()
        made.append(WRITES.insert(records.born(one.email_id, "default", records.fields_of(one))))
    return made


async def writes(tables: Tables, statements: list[Statement]) -> list[Fate | BaseException]:
    return await asyncio.gather(*map(tables.write, statements), return_exceptions=True)


async def test_sixty_writes_of_a_moment_take_three_calls(watched: tuple[Tables, Watched]) -> None:
    tables, client = watched
    assert await writes(tables, born(60)) == [Applied()] * 60
    assert sorted(len(call.statements) for call in client.calls) == [10, 25, 25]


async def test_writes_to_one_item_never_share_a_call(watched: tuple[Tables, Watched]) -> None:
    tables, client = watched
    (one,) = born(1)
    fates = await writes(tables, [one] * 5)
    assert fates.count(Applied()) == 1
    assert fates.count(Refused(None, duplicate=True)) == 4
    assert [len(call.statements) for call in client.calls] == [1] * 5


async def test_a_condition_that_fails_is_only_its_own_callers(
    watched: tuple[Tables, Watched],
) -> None:
    tables, client = watched
    statements = born(10)
    await writes(tables, statements)
    client.calls.clear()
    claims = [
        WRITES.claim(
            *(str(one.key[1]), "default"),
            attempts=n % 2,
            version=0,
            fingerprint=None,
            token="me",
            lease_until_ms=9,
        )
        for n, one in enumerate(statements)
    ]
    fates = await writes(tables, claims)
    assert [isinstance(fate, Applied) for fate in fates] == [True, False] * 5
    for one, fate in zip(statements, fates, strict=True):
        if isinstance(fate, Refused):
            assert fate.item is not None
            assert (fate.item["emailId"], fate.item["attempt"]) == (one.key[1], 0)
    assert len(client.calls) == 1


async def test_throttled_statements_are_tried_again_alone_and_the_others_are_not(
    watched: tuple[Tables, Watched],
) -> None:
    tables, client = watched
    client.throttle = [{1, 3}, {0}]
    statements = born(5)
    assert await writes(tables, statements) == [Applied()] * 5
    sizes = [len(call.statements) for call in client.calls]
    assert sizes[0] == 5
    assert sizes[1:] == [1, 1, 1]


async def test_a_statement_that_dynamodb_cannot_take_fails_alone(
    watched: tuple[Tables, Watched],
) -> None:
    tables, _ = watched
    bad = insert_into(PREFIX, resources.EMAIL_TRACKING, {"emailId": ""})
    fates = await writes(tables, [*born(3), bad])
    assert fates[:3] == [Applied()] * 3
    assert isinstance(fates[3], CallFailed)
    assert fates[3].kind is Kind.REFUSED


async def test_reads_of_a_moment_share_a_call_and_each_gets_its_own(
    watched: tuple[Tables, Watched],
) -> None:
    tables, client = watched
    statements = born(30)
    await writes(tables, statements)
    client.calls.clear()
    ids = [str(one.key[1]) for one in statements] + ["missing"]
    items = await asyncio.gather(
        *(tables.get(resources.EMAIL_TRACKING, {"emailId": email_id}) for email_id in ids),
        tables.get(resources.SUPPRESSION_LIST, {"tenant": "*", "addressHash": "none"}),
    )
    assert [item and item["emailId"] for item in items] == [*ids[:-1], None, None]
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("recorded", "writes_"), [(False, ["INSERT"]), (True, ["UPDATE", "INSERT"])]
)
async def test_a_claim_tries_first_what_the_door_hints_at(
    watched: tuple[Tables, Watched], writes_: list[str], *, recorded: bool
) -> None:
    tables, client = watched
    store = SenderStore(
        *(tables, PREFIX),
        address_hash_key=HASH_KEY,
        lease_s=1,
        grace_s=1,
        retention=Retention(Tenants(tables), usual_days=1),
        wall_ms=now_ms,
    )
    one = msgspec.structs.replace(message(), recorded=recorded)
    assert isinstance(await store.claim(one), Won)
    written = [
        call.statements[0].statement.partition(" ")[0]
        for call in client.calls
        if isinstance(call, ddb.BatchExecuteStatement)
    ]
    assert written == writes_


async def test_who_asks_for_the_same_at_the_same_moment_shares_a_read(
    watched: tuple[Tables, Watched],
) -> None:
    tables, client = watched
    (one,) = born(1)
    await writes(tables, [one])
    client.calls.clear()
    key = {"emailId": one.key[1]}
    items = await asyncio.gather(*(tables.get(resources.EMAIL_TRACKING, key) for _ in range(20)))
    assert [item and item["emailId"] for item in items] == [one.key[1]] * 20
    assert len(client.calls) == 1
    client.calls.clear()
    endpoints = Endpoints(tables)
    assert await asyncio.gather(*(endpoints.of("nobody") for _ in range(20))) == [{}] * 20
    assert len(client.calls) == 1
