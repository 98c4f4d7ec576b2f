"""Why a mail stands as it does, by the REST door and by the command line, over the local cloud."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from infra.local.stack import Stack
from mailpipe import board, presence, resources
from mailpipe.aws.queue import Received
from mailpipe.board import Pause, pause_item
from mailpipe.due import SCOPES, DueItems
from mailpipe.messages import new_email_id
from mailpipe.open_states import Terms
from mailpipe.outcomes import Park
from mailpipe.parking import Waits
from mailpipe.partiql import delete_from, insert_into
from mailpipe.records import Attributes, Value
from mailpipe.statements import EmailStatements
from mailpipe.timing import iso, now_ms
from sender.quota import Presence
from tests.integration.command_line import done, refused, run
from tests.integration.conftest import PREFIX
from tests.integration.rest_door import OTHER_KEY, Door, open_door
from tests.integration.test_board import quota

WRITES = EmailStatements(PREFIX)


class Counted:
    """Tables that count what they are asked for."""

    calls: Counter[str] = Counter()

    def __init__(self, tables: Any) -> None:
        self._tables = tables

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._tables, name)


@pytest.fixture
async def door(cloud_environment: Stack) -> AsyncIterator[Door]:
    async with open_door(cloud_environment, stores=Counted) as opened:
        await forget(opened)
        yield opened
        await forget(opened)


async def forget(door: Door) -> None:
    """What other tests have left on the board and parked, and senders that they have had."""
    for kind in (board.KIND, presence.KIND):
        for item in await door.tables.partition(resources.COORDINATION, kind):
            key: Attributes = {"kind": kind, "id": item["id"]}
            await door.tables.write(delete_from(PREFIX, resources.COORDINATION, key))
    for item in await door.tables.partition(resources.DUE_ITEMS, SCOPES):
        listed: Attributes = {"waitsFor": SCOPES, "dueKey": item["dueKey"]}
        await door.tables.write(delete_from(PREFIX, resources.DUE_ITEMS, listed))


async def known(door: Door, *items: Attributes) -> None:
    """SES's quota, a sender, and what else is on the board."""
    account: Attributes = msgspec.to_builtins(quota(now_ms()))
    told: Attributes = {"kind": board.KIND, "id": board.QUOTA, **account}
    for item in (told, *items):
        await door.tables.write(insert_into(PREFIX, resources.COORDINATION, item))
    sender = Presence(door.tables, PREFIX, "s-1", every_s=10, terms=Terms(unheard_ms=60_000))
    await sender.say({"transactional": "rate"})


async def ended(door: Door, **changes: Value) -> str:
    """A mail's record at its end; its id."""
    said = await door.send()
    email_id: str = said.body["emailId"]
    item = await door.tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
    assert item is not None
    del item["open"]
    await door.tables.write(delete_from(PREFIX, resources.EMAIL_TRACKING, {"emailId": email_id}))
    await door.tables.write(WRITES.insert(item | changes))
    return email_id


async def explained(door: Door, email_id: str) -> Any:
    Counted.calls.clear()
    said = await door.ask("GET", f"/emails/{email_id}/explain")
    assert said.status == 200
    assert Counted.calls.total() <= 5
    return said.body


async def test_a_mail_that_waits_says_for_what_and_what_binds(door: Door) -> None:
    await known(door)
    said = [await door.send() for _ in range(5)]
    body = await explained(door, said[0].body["emailId"])
    assert (body["state"], body["waitingFor"], body["binds"]) == ("pending", "turn", "rate")
    found = re.search(
        r"in the transactional lane, behind about ([0-9,]+) mails; ", body["sentence"]
    )
    assert found is not None
    assert int(found[1].replace(",", "")) >= 4  # other tests leave some
    assert "; the account's rate of 14/s binds; it should go in about " in body["sentence"]
    assert body["since"] < body["dueBy"] < body["deadline"]


async def test_a_paused_mail_says_since_when_and_how_that_ends(door: Door) -> None:
    since = now_ms() - 60_000
    scope, reason = "identity#noreply@example.com", "identity_not_verified"
    await known(door, pause_item(Pause(scope=scope, reason=reason, since=since, probe_at=1)))
    accepted = await door.send()
    body = await explained(door, accepted.body["emailId"])
    assert (body["state"], body["waitingFor"]) == ("paused", "pause")
    assert "is not verified at SES" in body["sentence"]
    assert body["sentence"].startswith("Waits because mail of the identity noreply@example.com")


async def test_after_a_pause_the_mail_that_it_held_is_promised_no_time(door: Door) -> None:
    await known(door)
    accepted = await door.send()
    scope, queue = "tenant#default#transactional", resources.MAIL_TRANSACTIONAL
    due = DueItems(door.tables, PREFIX, {}, waits=Waits())
    held = Received("m", "r", "{}", receives=1, sent_at_ms=1)
    await due.park(held, queue, Park(scope, "paused"))
    try:
        said = await door.ask("GET", f"/emails/{accepted.body['emailId']}/explain")
    finally:
        (item,) = await due.first(scope, queue, 1)
        for key in (item.key, {"waitsFor": SCOPES, "dueKey": scope}):
            await door.tables.write(delete_from(PREFIX, resources.DUE_ITEMS, key))
    end = "mail of the stream transactional is being released after a pause, oldest first."
    assert said.body["sentence"].endswith(end)
    assert said.body["dueBy"] is None


async def test_a_mail_that_has_ended_says_by_what_event(door: Door) -> None:
    email_id = await ended(door, status="bounced", rank=50, sentAt=now_ms())
    at = iso(now_ms() - 1000)
    details = '{"bounceType": "Permanent", "diagnosticCode": "550 no such user"}'
    for kind, event_id in (("bounce", "b"), ("open", "c")):
        event: Attributes = {
            "emailId": email_id,
            "eventKey": f"{at}#{event_id}",
            "type": kind,
            "occurredAt": at,
            "details": details,
        }
        await door.tables.write(insert_into(PREFIX, resources.EMAIL_EVENTS, event))
    body = await explained(door, email_id)
    assert (body["status"], body["state"], body["since"]) == ("bounced", "ended", at)
    assert 'for good, Permanent ("550 no such user")' in body["sentence"]


async def test_a_sent_mail_is_closed_when_its_senders_say(door: Door) -> None:
    await known(door)
    sent_ms = now_ms()
    accepted = await door.send()
    email_id = accepted.body["emailId"]
    await door.tables.write(WRITES.sent(email_id, 1, "ses-1", at_ms=sent_ms))
    body = await explained(door, email_id)
    assert (body["state"], body["waitingFor"]) == ("sent", "events")
    assert body["deadline"] == iso(sent_ms + 60_000)


async def test_what_is_another_s_or_has_no_record_is_not_there(door: Door) -> None:
    accepted = await door.send()
    email_id = accepted.body["emailId"]
    others = await door.ask("GET", f"/emails/{email_id}/explain", key=OTHER_KEY)
    none = await door.ask("GET", f"/emails/{new_email_id()}/explain")
    assert (others.status, none.status) == (404, 404)
    assert others.body == none.body
    assert "has none before a sender has it in hand" in none.body["message"]
    for wrong in ("%20", f"{email_id}%231", "x" * 500):
        assert (await door.ask("GET", f"/emails/{wrong}/explain")).status == 404


async def test_the_command_line_says_the_same(door: Door) -> None:
    await known(door)
    accepted = await door.send()
    email_id = accepted.body["emailId"]
    body = await explained(door, email_id)
    (told,) = await asyncio.to_thread(done, "explain", email_id)
    assert (told["state"], told["binds"], told["since"]) == ("pending", "rate", body["since"])
    result = await asyncio.to_thread(run, "explain", email_id)
    assert result.stdout.startswith("Waits since ")
    sentence = await asyncio.to_thread(refused, "explain", new_email_id())
    assert "There is no record of an e-mail" in sentence
