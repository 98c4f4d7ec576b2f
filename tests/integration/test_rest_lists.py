"""Lists of mail and endpoints by the REST door, over the local cloud."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from infra.local.cloud import LOCAL_KEY
from infra.local.stack import Stack
from mailpipe import records, resources
from mailpipe.endpoints import MAX_ENDPOINTS, Endpoints
from mailpipe.messages import new_email_id
from mailpipe.outcomes import CallFailed
from mailpipe.partiql import insert_into
from mailpipe.statements import EmailStatements
from mailpipe.timing import iso, now_ms
from tests.integration.conftest import PREFIX, message
from tests.integration.rest_door import MAIL, OTHER_KEY, READ_ONLY_KEY, Door, Said, open_door

WRITES = EmailStatements(PREFIX)
DAY_MS = 86_400_000
NOW = now_ms()


@pytest.fixture(scope="module")
async def door(cloud_environment: Stack) -> AsyncIterator[Door]:
    async with open_door(cloud_environment) as opened:
        yield opened


async def pages(door: Door, *, key: str = LOCAL_KEY, **query: str) -> list[Said]:
    """Every page of `GET /emails`."""
    found = list[Said]()
    while True:
        said = await door.ask("GET", f"/emails?{urlencode(query)}", key=key)
        assert said.status == 200, said.body
        found.append(said)
        if said.body["nextCursor"] is None:
            return found
        query["cursor"] = said.body["nextCursor"]


def ids(found: list[Said]) -> list[str]:
    return [one["emailId"] for said in found for one in said.body["emails"]]


async def stored(door: Door, tenant: str, *times: int, **changes: records.Value) -> list[str]:
    """Records of a tenant, born at these times; their ids, the newest first."""
    made = list[tuple[int, str]]()
    for at_ms in times:
        email_id = new_email_id()
        fields = records.fields_of(message(to=["a@example.net"]))
        fields.created_at = at_ms
        born = records.USUAL | records.born(email_id, tenant, fields) | changes
        await door.tables.write(WRITES.insert(born))
        made.append((at_ms, email_id))
    return [email_id for _, email_id in sorted(made, reverse=True)]


@pytest.fixture(scope="module")
async def listed(door: Door) -> list[str]:
    """Twelve mails of the other tenant over five days, one of them bounced."""
    times = [NOW - day * DAY_MS - number for day in (0, 1, 4) for number in range(4)]
    newest = await stored(door, "other", *times)
    await stored(door, "default", NOW - 5)
    return newest


@pytest.mark.parametrize("limit", ["1", "5", "100"])
async def test_pages_hold_every_mail_once_the_newest_first(
    door: Door, listed: list[str], limit: str
) -> None:
    found = await pages(door, key=OTHER_KEY, limit=limit)
    assert [one for one in ids(found) if one in listed] == listed
    assert len(ids(found)) == len(set(ids(found)))
    assert all(len(said.body["emails"]) <= int(limit) for said in found)


async def test_pages_stay_as_they_are_while_new_mail_arrives(door: Door, listed: list[str]) -> None:
    first = await door.ask("GET", "/emails?limit=3", key=OTHER_KEY)
    new = await stored(door, "other", now_ms(), now_ms() + 1)
    rest = await pages(door, key=OTHER_KEY, limit="3", cursor=first.body["nextCursor"])
    together = ids([first, *rest])
    assert [one for one in together if one in listed] == listed
    assert not set(new) & set(together)


async def test_times_and_filters_are_applied(door: Door, listed: list[str]) -> None:
    await door.send(stream="bulk", to=["bulk@example.net"])
    day = {"createdAfter": iso(NOW - DAY_MS - 1), "createdBefore": iso(NOW - DAY_MS)}
    assert ids(await pages(door, key=OTHER_KEY, **day)) == listed[5:6]
    none = {"status": "bounced", "createdAfter": iso(NOW - 2 * DAY_MS)}
    assert ids(await pages(door, key=OTHER_KEY, **none)) == []
    bulk = await pages(door, stream="bulk", createdAfter=iso(NOW - 1000))
    assert {one["stream"] for said in bulk for one in said.body["emails"]} == {"bulk"}


async def test_an_empty_list_ends(door: Door) -> None:
    """Without a filter it goes back over all days that records are kept, page by page."""
    said = await pages(door, key=OTHER_KEY, createdBefore=iso(NOW - 20 * DAY_MS))
    assert ids(said) == []
    assert len(said) > 1


async def test_a_list_by_recipient_finds_further_recipients_in_whatever_case(door: Door) -> None:
    several = {
        "to": ["first@example.net"],
        "cc": ["Second@Example.net"],
        "bcc": ["Z <z@ü.example>"],
    }
    sent = [(await door.send(**several)).body["emailId"] for _ in range(3)]
    for recipient in ("first@example.net", "SECOND@example.net", "z@xn--tda.example"):
        found = await pages(door, recipient=recipient, limit="2")
        assert sorted(ids(found)) == sorted(sent)
        assert len(found) == 2
    assert ids(await pages(door, recipient="second@example.net", key=OTHER_KEY)) == []
    (one,) = (await pages(door, recipient="z@ü.example", limit="1"))[0].body["emails"]
    assert one["recipient"] == "first@example.net"
    assert one.keys() >= {"status", "subject", "createdAt", "sentAt", "messageId", "metadata"}


@pytest.mark.parametrize(
    ("query", "field", "constraint"),
    [
        ("limit=-1", "limit", "range"),
        ("limit=1000000000", "limit", "range"),
        ("limit=x", "limit", "range"),
        ("cursor=forged", "cursor", "cursor"),
        ("cursor=" + "A" * 88, "cursor", "cursor"),
        ("createdAfter=yesterday", "createdAfter", "time"),
        ("createdBefore=2026-11-24T10:00:00", "createdBefore", "time"),
        ("status=lost", "status", "enum"),
        ("stream=fast", "stream", "enum"),
        ("recipient=nobody", "recipient", "address_syntax"),
        ("offset=1", "offset", "unknown_field"),
        ("limit=1&limit=2", "limit", "unique"),
    ],
)
async def test_a_bad_query_names_the_parameter(
    door: Door, query: str, field: str, constraint: str
) -> None:
    said = await door.ask("GET", f"/emails?{query}")
    assert (said.status, said.body["error"]) == (400, "VALIDATION_ERROR")
    assert said.body["details"] == {"field": field, "constraint": constraint}


async def test_a_cursor_is_of_its_tenant_and_filters(door: Door, listed: list[str]) -> None:
    page = await door.ask("GET", "/emails?limit=1", key=OTHER_KEY)
    cursor = quote(page.body["nextCursor"])
    for query, key in (
        (f"cursor={cursor}", LOCAL_KEY),
        (f"cursor={cursor}&stream=bulk", OTHER_KEY),
    ):
        said = await door.ask("GET", f"/emails?{query}", key=key)
        assert (said.status, said.body["details"]["constraint"]) == (400, "cursor")
    assert (await door.ask("GET", f"/suppression?cursor={cursor}", key=OTHER_KEY)).status == 400
    longer = await door.ask("GET", f"/emails?limit=5&cursor={cursor}", key=OTHER_KEY)
    assert longer.status == 200


# --- endpoints ------------------------------------------------------------------------------------


async def test_an_endpoint_is_made_listed_and_removed(door: Door) -> None:
    body = {"url": "https://example.com/hooks", "types": ["email.bounced", "email.bounced"]}
    made = await door.ask("POST", "/webhooks", json=body)
    assert made.status == 201
    assert made.body["id"].startswith("ep_")
    assert made.body["secret"].startswith("whsec_")
    (found,) = (await Endpoints(door.tables).of("default")).values()
    assert (found.endpoint, found.url, found.secrets, found.types, found.enabled) == (
        *(made.body["id"], body["url"], [made.body["secret"]]),
        *(["email.bounced"], True),
    )
    listed = await door.ask("GET", "/webhooks", key=READ_ONLY_KEY)
    shown = {name: value for name, value in made.body.items() if name != "secret"}
    assert listed.body == {"webhooks": [shown]}
    assert (await door.ask("GET", "/webhooks", key=OTHER_KEY)).body == {"webhooks": []}
    path = f"/webhooks/{made.body['id']}"
    assert (await door.ask("DELETE", path, key=OTHER_KEY)).status == 404
    assert (await door.ask("DELETE", path)).status == 200
    assert (await door.ask("DELETE", path)).status == 404
    assert (await door.ask("GET", "/webhooks")).body == {"webhooks": []}


async def test_a_tenant_has_at_most_so_many_endpoints(door: Door) -> None:
    inserts = [
        insert_into(
            PREFIX,
            resources.WEBHOOK_ENDPOINTS,
            {"tenant": "other", "endpoint": f"e{n}", "url": "u", "secrets": ["s"]},
        )
        for n in range(MAX_ENDPOINTS)
    ]
    fates = await door.tables.write_all(inserts)
    assert not any(isinstance(fate, CallFailed) for fate in fates)
    body = {"url": "https://example.com/"}
    said = await door.ask("POST", "/webhooks", json=body, key=OTHER_KEY)
    assert (said.status, said.body["details"]["constraint"]) == (400, "max_items")


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({"url": "ftp://example.com"}, "url", "url_scheme"),
        ({"url": "https://example.com", "types": ["email.lost"]}, "types[0]", "enum"),
        ({"url": "https://example.com", "secret": "x"}, "secret", "unknown_field"),
    ],
)
async def test_a_bad_endpoint_names_the_field(
    door: Door, body: dict[str, Any], field: str, constraint: str
) -> None:
    said = await door.ask("POST", "/webhooks", json=body)
    assert (said.status, said.body["details"]) == (400, {"field": field, "constraint": constraint})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/suppression/add", {"email": "a@example.net"}),
        ("DELETE", "/suppression/a@example.net", None),
        ("POST", "/webhooks", {"url": "https://example.com"}),
        ("DELETE", "/webhooks/ep_1", None),
        ("POST", "/send-emails", {"emails": [MAIL]}),
    ],
)
async def test_changes_need_their_scope(door: Door, method: str, path: str, body: Any) -> None:
    said = await door.ask(method, path, json=body, key=READ_ONLY_KEY)
    assert (said.status, said.body["error"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("endpoint", ["ep_1", "x" * 1025, "x" * 3000, "%00", "ep_%20"])
async def test_an_id_that_no_endpoint_can_have_is_not_found(door: Door, endpoint: str) -> None:
    said = await door.ask("DELETE", f"/webhooks/{endpoint}")
    assert (said.status, said.body["error"]) == (404, "NOT_FOUND")


async def test_what_holds_no_email_is_small(door: Door) -> None:
    said = await door.ask("POST", "/webhooks", json={"url": "x" * 65_536})
    assert (said.status, said.body["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_the_door_describes_itself_without_a_key(door: Door) -> None:
    said = await door.ask("GET", "/openapi.json", key="")
    assert (said.status, said.body["openapi"]) == (200, "3.1.0")
    async with door.session.get(f"{door.url}/docs") as page:
        text = await page.text()
    assert page.status == 200
    assert "/send-emails" in text
    assert "src=" not in text
    assert (await door.ask("GET", "/health", key="")).body == {"status": "ok"}
