"""Messages that wait outside their queue, as items and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mailpipe import origins
from mailpipe.aws.items import from_item, to_item
from mailpipe.aws.queue import Received, weight
from mailpipe.messages import MAX_MESSAGE_BYTES
from mailpipe.outcomes import Park, Retry
from mailpipe.parking import (
    IN_DOUBT,
    KEPT_S,
    PAUSED_MS,
    PROBE,
    SET_ASIDE,
    Parked,
    Waits,
    aside_of,
    attributes_of,
    copy_of,
    instead_of,
    item_of,
    oldest,
    parked_of,
    paused_ms,
    portions,
    range_of,
    released,
)
from mailpipe.records import Attributes
from mailpipe.resources import SHARDS, shard

NOW = 1_000_000_000_000
ACCEPTED = 999_999_000_000
BODY = '{"tenant":"shop","queuedAt":"2001-09-09T01:30:00.000Z"}'
MESSAGE = Received(
    *("m-1", "r", BODY),
    receives=3,
    sent_at_ms=NOW - 5000,
    attributes={"trace": "x"},
    sender_id="AIDASHOP:session",
)
QUEUE = "mail-bulk"
SCOPE = Park("account", "paused")


def item(park: Park, message: Received = MESSAGE, *, now_ms: int = NOW) -> Parked:
    return item_of(message, QUEUE, park, now_ms=now_ms, body_key=None)


def test_what_waits_for_a_scope_lies_by_queue_and_time_of_acceptance() -> None:
    parked = item(SCOPE)
    assert parked.waits_for == f"P#account#{shard('m-1')}"
    assert parked.due_key == f"mail-bulk#{ACCEPTED:015d}#m-1"
    assert parked.at_ms == ACCEPTED
    low, high = range_of(QUEUE)
    assert low < parked.due_key < high


def test_what_waits_for_a_time_lies_in_its_minute() -> None:
    parked = item(Park(None, "later", due_ms=NOW + 3_600_000))
    assert parked.waits_for == f"T#{(NOW + 3_600_000) // 60_000}#{shard('m-1')}"
    assert (parked.at_ms, parked.ttl) == (NOW + 3_600_000, NOW // 1000 + 3600 + KEPT_S)


def test_what_was_due_before_lies_in_the_present_minute_which_is_still_read() -> None:
    assert item(Park(None, "late", due_ms=5)).waits_for.startswith(f"T#{NOW // 60_000}#")


@pytest.mark.parametrize("park", [SCOPE, Park(None, "later", due_ms=NOW + 9_999_999)])
def test_the_same_message_is_the_same_item_however_often_it_is_parked(park: Park) -> None:
    again = replace(MESSAGE, receipt="another", receives=4)
    assert item(park).key == item(park, again, now_ms=NOW + 120_000).key
    assert item(park).key != item(park, replace(MESSAGE, message_id="m-2")).key


def test_an_item_survives_the_table() -> None:
    for park in (SCOPE, Park(None, "later", due_ms=NOW)):
        parked = item(park)
        assert parked_of(from_item(to_item(attributes_of(parked)))) == parked


def test_it_comes_back_with_who_had_sent_it_and_how_long_it_has_waited() -> None:
    back = released(item(SCOPE), BODY, now_ms=NOW + 7000)
    assert (back.body, back.group, back.delay_s) == (BODY, "shop", 0)
    assert back.attributes == {"trace": "x", origins.ATTRIBUTE: "AIDASHOP", PAUSED_MS: "7000"}
    again = replace(MESSAGE, attributes=back.attributes, sender_id="AROASENDER")
    twice = released(item(SCOPE, again), BODY, now_ms=NOW + 500)
    assert twice.attributes[origins.ATTRIBUTE] == "AROASENDER AIDASHOP"
    assert twice.attributes[PAUSED_MS] == "7500"


@pytest.mark.parametrize("told", [{}, {origins.ATTRIBUTE: "AIDASHOP"}])
def test_where_nobody_looks_who_has_sent_it_stays_as_it_was(told: dict[str, str]) -> None:
    unseen = replace(MESSAGE, sender_id=None, attributes=told)
    back = released(item(SCOPE, unseen), BODY, now_ms=NOW)
    assert {name: one for name, one in back.attributes.items() if name != PAUSED_MS} == told
    assert copy_of(unseen).attributes == told


def test_a_forged_history_only_ever_grows() -> None:
    forged = replace(MESSAGE, attributes={origins.ATTRIBUTE: "AROAINGEST"})
    assert item(SCOPE, forged).attributes[origins.ATTRIBUTE] == "AIDASHOP AROAINGEST"


def test_a_probe_is_marked_and_no_longer_one_when_it_is_parked_again() -> None:
    back = released(item(SCOPE), BODY, now_ms=NOW, probe="account")
    assert back.attributes[PROBE] == "account"
    assert PROBE not in item(SCOPE, replace(MESSAGE, attributes=back.attributes)).attributes


def test_a_doubt_is_told_however_the_mail_comes_back() -> None:
    assert copy_of(MESSAGE, in_doubt=True).attributes[IN_DOUBT] == "1"
    assert IN_DOUBT not in copy_of(MESSAGE).attributes
    doubt = item(Park(None, "in doubt", due_ms=NOW + 90_000, in_doubt=True))
    back = released(doubt, BODY, now_ms=NOW)
    assert back.attributes[IN_DOUBT] == "1"
    # Then its scope is paused: it is still in doubt when that is over.
    again = item(SCOPE, replace(MESSAGE, attributes=back.attributes))
    assert released(again, BODY, now_ms=NOW).attributes[IN_DOUBT] == "1"


def test_a_wait_for_a_time_is_no_pause() -> None:
    back = released(item(Park(None, "later", due_ms=NOW + 30_001)), BODY, now_ms=NOW)
    assert (back.delay_s, PAUSED_MS in back.attributes) == (31, False)


@given(st.dictionaries(st.sampled_from([*"abcdefghijkl", PROBE, PAUSED_MS]), st.just("1")))
def test_never_more_attributes_than_sqs_takes_and_ours_first(attributes: dict[str, str]) -> None:
    crowded = replace(MESSAGE, attributes=attributes)
    back = released(item(SCOPE, crowded), BODY, now_ms=NOW + 1, probe="account")
    assert len(back.attributes) <= 10
    assert back.attributes.keys() >= {PROBE, PAUSED_MS, origins.ATTRIBUTE}
    assert len(copy_of(crowded).attributes) <= 10


def test_attributes_of_others_are_left_out_where_they_make_it_too_large() -> None:
    body = "x" * (MAX_MESSAGE_BYTES - 100)
    noted = replace(MESSAGE, body=body, attributes={"trace": "x" * 90})
    assert copy_of(noted).attributes == {origins.ATTRIBUTE: "AIDASHOP"}
    assert weight(copy_of(noted)) <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("told", "read_ms"),
    [("", 0), ("1500", 1500), ("-1", 0), ("²", 0), ("9" * 15, KEPT_S * 1000), ("9" * 16, 0)],
)
def test_how_long_a_message_has_waited_is_read_with_care(told: str, read_ms: int) -> None:
    assert paused_ms({PAUSED_MS: told}) == read_ms


@pytest.mark.parametrize(
    "changes",
    [{"receives": "many"}, {"dueKey": "mail-bulk#soon#m-1"}, {"dueKey": "x"}, {"queue": None}],
)
def test_what_cannot_be_read_is_set_aside_whole(changes: Attributes) -> None:
    broken = attributes_of(item(SCOPE)) | changes
    assert parked_of(broken) is None
    aside = aside_of(broken, "unreadable", now_ms=NOW)
    assert aside.items() >= (changes | {"waitsFor": SET_ASIDE, "why": "unreadable"}).items()
    assert aside["waitedFor"] == broken["waitsFor"]


@given(st.lists(st.one_of(st.none(), st.integers(0, 2_000_000)), max_size=30))
def test_portions_are_all_in_order_and_fit_into_memory(sizes: list[int | None]) -> None:
    parked = [
        msgspec.structs.replace(item(SCOPE), receives=n, body=None if size is None else "x" * size)
        for n, size in enumerate(sizes)
    ]
    found = list(portions(parked, 3_000_000))
    assert [one for portion in found for one in portion] == parked
    for portion in found:
        assert portion
        assert len(portion) == 1 or sum(one.bytes for one in portion) <= 3_000_000


@pytest.mark.parametrize(
    "body",
    ["nonsense", "[1]", '{"queuedAt":7}', '{"queuedAt":"soon"}', "[" * 5000, '{"queuedAt":null}'],
)
def test_a_body_that_says_no_time_is_as_old_as_its_message(body: str) -> None:
    assert item(SCOPE, replace(MESSAGE, body=body)).at_ms == MESSAGE.sent_at_ms


def test_nobody_is_accepted_after_sqs_had_it() -> None:
    ahead = replace(MESSAGE, body='{"queuedAt":"2099-01-01T00:00:00.000Z"}')
    assert item(SCOPE, ahead).at_ms == MESSAGE.sent_at_ms


@pytest.mark.parametrize(
    ("after_s", "receives", "age_s", "parked"),
    [
        (900, 24, 86_399, False),
        (901, 1, 0, True),
        (0, 25, 0, True),
        (1, 1, 86_400, True),
    ],
)
def test_long_waits_frequent_returns_and_old_messages_are_not_hidden(
    after_s: float, receives: int, age_s: int, parked: bool
) -> None:
    message = replace(MESSAGE, receives=receives, sent_at_ms=NOW - age_s * 1000)
    park = instead_of(Retry(after_s, "why"), message, QUEUE, Waits(), now_ms=NOW)
    assert park == (Park(None, "why", due_ms=NOW + round(after_s * 1000)) if parked else None)


@given(
    st.lists(st.integers(0, 10_000), unique=True, max_size=60),
    st.integers(1, 8),
    st.integers(1, 30),
)
def test_the_oldest_of_all_shards_come_first_and_none_is_passed_over(
    times: list[int], each: int, most: int
) -> None:
    shards = [sorted(at for at in times if at % SHARDS == number) for number in range(SHARDS)]
    made = {
        at: item_of(
            replace(MESSAGE, message_id=f"m-{at}", sent_at_ms=at, body="x"),
            *(QUEUE, SCOPE),
            now_ms=NOW,
            body_key=None,
        )
        for at in times
    }
    pages = [([made[at] for at in shard[:each]], len(shard) > each) for shard in shards]
    found = [one.at_ms for one in oldest(pages, most)]
    assert found == sorted(times)[: len(found)]
    assert len(found) >= min(most, each, len(times))
