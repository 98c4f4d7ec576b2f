"""A sender to which SES gives answers that are about more than one mail."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from mailpipe import metrics, resources
from mailpipe.aws import errors
from mailpipe.board import ACCOUNT, KIND, Pause, pause_item
from mailpipe.messages import EmailMessage
from mailpipe.outcomes import CallFailed, Done, Park, Retry
from mailpipe.parking import KEPT_S, WAITS_AT_MOST_S
from mailpipe.partiql import delete_from, insert_into
from mailpipe.timing import iso, now_ms
from sender.claims import Answer
from sender.pauses import MANY, paused_s
from tests.integration.conftest import PREFIX, message, received
from tests.integration.sender_rig import Rig, rig
from tests.integration.test_board import quota

__all__ = ["rig"]

SHOP = "identity#b@example.com"


def answer(code: str, text: str) -> CallFailed:
    return errors.answered("SendEmail", code, text, 400)


def not_verified(address: str) -> CallFailed:
    text = "Email address is not verified. The following identities failed the check in region"
    return answer("MessageRejected", f"{text} R: {address}")


@pytest.fixture(autouse=True)
async def nothing_paused(rig: Rig) -> None:
    for item in await rig.parts.tables.partition(resources.COORDINATION, KIND):
        key = {"kind": KIND, "id": item["id"]}
        await rig.parts.tables.write(delete_from(PREFIX, resources.COORDINATION, key))


async def test_a_fault_stops_its_scope_and_nothing_else(rig: Rig) -> None:
    rig.ses.script = [not_verified("b@example.com")]
    first = message()
    assert isinstance(await rig.handle(first), Park)
    assert isinstance(await rig.handle(message()), Park)
    assert await rig.handle(message(from_="c@example.com")) == Done()
    assert len(rig.ses.sent) == 2
    record = await rig.parts.record(first.email_id)
    assert record is not None
    assert (record.status, record.lease_until) == ("pending", 0)


@pytest.mark.parametrize(
    "failure",
    [
        answer("LimitExceededException", "Daily message quota exceeded."),
        answer("NotFoundException", "Configuration set <enterprise-email> does not exist."),
    ],
)
async def test_no_mail_fails_by_a_fault_that_is_not_its_own(rig: Rig, failure: CallFailed) -> None:
    mails = [message() for _ in range(2)]
    rig.ses.script = [failure]
    for one in mails:
        assert isinstance(await rig.handle(one), Park)
    assert len(rig.ses.sent) == 1
    assert await rig.announced() == []
    (pause,) = rig.board.pauses.values()
    assert await rig.board.resume(pause)
    assert [await rig.handle(one) for one in mails] == [Done()] * 2


async def test_what_is_about_one_process_or_one_moment_pauses_nothing(rig: Rig) -> None:
    rig.ses.script = [answer("Throttling", ""), answer("UnrecognizedClientException", "x")]
    for _ in range(2):
        assert isinstance(await rig.handle(message()), Retry)
    assert rig.board.pauses == {}


async def test_a_process_that_ses_refuses_leaves_its_mail_to_others_and_tries_again(
    rig: Rig,
) -> None:
    one = message()
    rig.ses.script = [answer("AccessDeniedException", "not authorized to perform ses:SendEmail")]
    for _ in range(3):
        back = await rig.handle(one)
        assert isinstance(back, Retry)
        assert 5 <= back.after_s <= 15
    assert (len(rig.ses.sent), rig.board.pauses) == (1, {})
    assert rig.pauses.unready() == "SES refuses this process: AccessDeniedException"
    record = await rig.parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.lease_until) == ("pending", 0)
    rig.later_s = 2.0
    assert await rig.handle(one) == Done()
    assert rig.pauses.unready() is None


@pytest.mark.parametrize(
    ("text", "slower"), [("Maximum sending rate exceeded.", True), ("Rate exceeded", False)]
)
async def test_only_the_account_s_rate_slows_all_senders_down(
    rig: Rig, text: str, slower: bool
) -> None:
    rig.ses.script = [answer("TooManyRequestsException", text)]
    assert isinstance(await rig.handle(message()), Retry)
    assert await rig.handle(message()) == Done()
    assert (metrics.QUOTA_FACTOR.collect()[0].samples[0].value < 1) is slower
    assert rig.board.pauses == {}


async def test_the_probe_that_ses_takes_lets_its_scope_go_on(rig: Rig) -> None:
    rig.ses.script = [not_verified("b@example.com"), not_verified("b@example.com")]
    await rig.handle(message())
    probe = {"probe": SHOP}
    assert isinstance(await rig.handle(message(), attributes=probe), Park)
    assert rig.board.pauses.keys() == {SHOP}
    assert await rig.handle(message(), attributes=probe) == Done()
    assert rig.board.pauses == {}
    await rig.board.refresh()
    assert rig.board.pauses == {}


async def test_a_mail_ends_no_pause_but_its_own(rig: Rig) -> None:
    await rig.board.pause(SHOP, "identity_not_verified", code="x", probe_at=1)
    other = message(from_="c@example.com")
    assert await rig.handle(other, attributes={"probe": SHOP}) == Done()
    assert rig.board.pauses.keys() == {SHOP}


async def test_a_probe_shows_nothing_when_another_fault_stops_it(rig: Rig) -> None:
    rig.ses.script = [not_verified("b@example.com"), answer("SendingPausedException", "x")]
    await rig.handle(message())
    await rig.handle(message(), attributes={"probe": SHOP})
    assert rig.board.pauses.keys() == {SHOP, ACCOUNT}


async def paused_many(rig: Rig, tenant: str, count: int) -> None:
    scopes = [f"identity#{number}@{tenant}.example" for number in range(count)]
    pauses = [rig.board.pause(one, "x", code="x", probe_at=1, tenant=tenant) for one in scopes]
    await asyncio.gather(*pauses)


async def test_a_flood_of_refused_identities_pauses_the_stream_and_not_each_of_them(
    rig: Rig,
) -> None:
    await paused_many(rig, "another", MANY)
    await paused_many(rig, "default", MANY - 1)
    for address in ("w@example.com", "x@example.com", "y@example.com"):
        rig.ses.script = [not_verified(address)]
        assert await rig.handle(message(from_=address)) != Done()
    assert len(rig.ses.sent) == 2
    assert len(rig.board.pauses) == 2 * MANY + 1
    assert "identity#w@example.com" in rig.board.pauses
    stream = "tenant#default#transactional"
    probe = {"probe": stream}
    assert await rig.handle(message(from_="z@example.com"), attributes=probe) != Done()
    assert await rig.handle(message(from_="c@example.com"), attributes=probe) == Done()
    assert stream not in rig.board.pauses


async def test_a_probe_that_shows_nothing_is_followed_by_another_at_once(rig: Rig) -> None:
    rig.ses.script = [not_verified("b@example.com")]
    await rig.handle(message())
    await rig.board.refresh()
    assert [*rig.board.due_probes()] == []
    expired = message()
    expired.queued_at = iso(0)
    assert await rig.handle(expired, attributes={"probe": SHOP}) == Done()
    await rig.board.refresh()
    assert [one.scope for one in rig.board.due_probes()] == [SHOP]


async def test_a_probe_that_ses_refuses_is_followed_by_none_at_once(rig: Rig) -> None:
    rig.ses.script = [not_verified("b@example.com")] * 2
    for attributes in ({}, {"probe": SHOP}):
        assert isinstance(await rig.handle(message(), attributes=attributes), Park)
    await rig.board.refresh()
    assert [*rig.board.due_probes()] == []


async def test_due_pauses_are_probed_once_and_resumed_when_nobody_waits(rig: Rig) -> None:
    await rig.board.pause(SHOP, "identity_not_verified", code="x", probe_at=1)
    await rig.pauses.probe()
    await rig.pauses.probe()
    assert rig.waiting.probed == [SHOP]
    (pause,) = rig.board.pauses.values()
    assert await rig.board.postpone(pause, 1)
    rig.waiting.any = False
    await rig.pauses.probe()
    assert rig.board.pauses == {}


async def test_what_a_person_has_paused_only_a_person_resumes(rig: Rig) -> None:
    by_hand = Pause(scope="account", reason="quiet", since=1, by="ana")
    await rig.parts.tables.write(insert_into(PREFIX, resources.COORDINATION, pause_item(by_hand)))
    await rig.board.refresh()
    await rig.pauses.probe()
    await rig.pauses.judge(quota(now_ms()))
    assert isinstance(await rig.handle(message(), attributes={"probe": "account"}), Park)
    assert rig.waiting.probed == []
    assert rig.ses.sent == []


async def test_what_get_account_tells_pauses_and_resumes_without_a_probe(rig: Rig) -> None:
    off = replace(quota(1), sending_enabled=False)
    await rig.pauses.judge(off)
    assert rig.board.pauses[ACCOUNT].reason == "account_paused"
    await rig.pauses.judge(replace(off, read_at=now_ms() + 1000))
    await rig.pauses.judge(quota(1))
    await rig.pauses.probe()
    assert (rig.board.pauses.keys(), rig.waiting.probed) == ({ACCOUNT}, [])
    await rig.pauses.judge(quota(now_ms() + 1000))
    assert rig.board.pauses == {}


async def test_a_day_without_room_pauses_before_anybody_asks_in_vain(rig: Rig) -> None:
    await rig.pauses.judge(replace(quota(1), sent_24_hours=50_000))
    assert rig.board.pauses[ACCOUNT].reason == "daily_quota"


async def test_a_used_up_day_ends_when_a_reading_shows_room(rig: Rig) -> None:
    rig.ses.script = [answer("LimitExceededException", "Daily message quota exceeded.")]
    await rig.handle(message())
    later = quota(now_ms() + 1000)
    for sent in (50_000, 49_951):  # a little room would be used up at once
        await rig.pauses.judge(replace(later, sent_24_hours=sent))
        assert rig.board.pauses[ACCOUNT].reason == "daily_quota"
    await rig.pauses.judge(replace(later, sent_24_hours=49_950))
    assert rig.board.pauses == {}


@pytest.mark.parametrize("parked", [True, False])
async def test_what_a_pause_has_held_is_claimed_as_recorded_which_it_need_not_be(
    rig: Rig, parked: bool
) -> None:
    one, claim, hints = message(), rig.store.claim, list[bool]()

    async def noted(mail: EmailMessage, **more: Any) -> Answer:
        hints.append(mail.recorded)
        return await claim(mail, **more)

    rig.store.claim = noted  # type: ignore[method-assign, assignment]
    if parked:
        await rig.board.pause(SHOP, "identity_not_verified", code="x", probe_at=1)
        assert isinstance(await rig.handle(replace(one)), Park)
        (pause,) = rig.board.pauses.values()
        assert await rig.board.resume(pause)
    assert await rig.handle(one, attributes={"paused_ms": "1000"}) == Done()
    assert (hints, len(rig.ses.sent)) == ([True], 1)


async def test_our_own_pauses_do_not_count_towards_the_expiry(rig: Rig) -> None:
    paused_ms = 20 * 86_400_000
    old = message()
    old.queued_at = iso(now_ms() - paused_ms)
    assert await rig.handle(old, attributes={"paused_ms": str(paused_ms)}) == Done()
    assert len(rig.ses.sent) == 1


async def test_what_has_waited_as_long_as_it_may_ends_though_its_scope_is_paused(rig: Rig) -> None:
    await rig.board.pause(ACCOUNT, "daily_quota", code="x", probe_at=now_ms())
    old = message()
    old.queued_at = iso(now_ms() - (WAITS_AT_MOST_S + 1) * 1000)
    assert await rig.handle(old) == Done()
    assert [event.status for event in await rig.announced()] == ["expired"]
    assert rig.ses.sent == []


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("", 0), ("1500", 1.5), ("-1", 0), ("x", 0), ("9" * 15, KEPT_S), ("9" * 99, 0)],
)
def test_how_long_a_mail_was_held_is_read_with_care(told: str, seconds: float) -> None:
    one = received("x")
    one.attributes["paused_ms"] = told
    assert paused_s(one) == seconds
