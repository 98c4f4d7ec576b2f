"""Slots of shared items: whatever the order of writes, nobody's instants come closer than 1/R."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.simulated import worst_window
from mailpipe.changes import Changed, Refused
from mailpipe.outcomes import CallFailed
from sender.pacing import HORIZON_S, MAX_LEAD_S, SMALLEST_FACTOR, WHOLE, held_s
from sender.reserving import TRIES, Account, Full, Item, Taken, Terms, take_capped
from tests.unit.memory_items import FREE
from tests.unit.reserving_rig import NOW_US, QUOTA, SECOND_US, World, absolute, free_in, wanted


@given(
    st.floats(1, 5000),
    st.lists(
        st.tuples(
            st.integers(0, 3),  # which sender
            st.floats(0, 0.4),  # so long after the last one
            st.sampled_from(sorted(HORIZON_S)),
            st.integers(1, 60),
            st.floats(-0.005, 0.005),  # its clock's offset
        ),
        max_size=50,
    ),
)
def test_instants_of_all_senders_are_never_closer_than_the_spacing(
    rate: float, asks: list[tuple[int, float, str, int, float]]
) -> None:
    world, senders = World(dict(FREE)), [Account(Terms()) for _ in range(4)]
    now_us, instants = NOW_US, list[float]()
    for who, pause_s, lane, at_most, offset_s in asks:
        now_us += round(pause_s * 1e6)
        own_us = now_us + round(offset_s * 1e6)
        question = wanted(own_us, lane=lane, at_most=at_most, quota=rate * 1.05)
        reservation = world.ask(senders[who].reserve(question))
        assert all(one >= 0.1 - 1e-9 for one in reservation.instants)
        instants += [(own_us - NOW_US) / 1e6 + one for one in reservation.instants]
    for earlier, later in itertools.pairwise(sorted(instants)):
        assert later - earlier >= 1 / rate - 1e-6


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60))
def test_writes_of_several_questions_may_interleave_in_any_way(order: list[int]) -> None:
    world, instants = World(dict(FREE)), list[float]()
    accounts = [Account(Terms()) for _ in range(3)]
    steps = [one.reserve(wanted()) for one in accounts]
    changes = {who: next(one) for who, one in enumerate(steps)}
    for who in order + [0, 1, 2] * 4:
        if who not in changes:
            continue
        try:
            changes[who] = steps[who].send(world.write(changes[who]))
        except StopIteration as end:
            instants += end.value.instants
            del changes[who]
    assert not changes
    assert len(instants) == 30
    for earlier, later in itertools.pairwise(sorted(instants)):
        assert later - earlier >= 0.01 - 1e-6


def test_slots_left_unused_in_the_past_are_gone() -> None:
    world, account = World(free_in(-5)), Account(Terms())
    reservation = world.ask(account.reserve(wanted()))
    assert reservation.instants[0] == pytest.approx(0.1)
    assert account.seen is not None
    assert account.seen.tat == NOW_US + 200_000


def test_what_is_known_decides_which_form_is_tried_first() -> None:
    world, account = World(free_in(0.5)), Account(Terms())
    account.seen = Item(NOW_US + 500_000)
    world.ask(account.reserve(wanted()))
    world.ask(account.reserve(wanted()))
    assert (world.writes, world.refused) == (2, 0)


def test_a_refusal_says_when_there_may_be_room_and_costs_no_second_write() -> None:
    world, account = World(free_in(2)), Account(Terms())
    account.seen = Item(NOW_US)
    first = world.ask(account.reserve(wanted()))
    assert first.again_in_s == pytest.approx(2 - MAX_LEAD_S - HORIZON_S["transactional"])
    assert world.ask(account.reserve(wanted())).again_in_s == first.again_in_s
    assert world.writes == 1
    again_us = NOW_US + round(first.again_in_s * 1e6)
    assert world.ask(account.reserve(wanted(again_us))).instants


def test_however_far_ahead_the_item_is_it_is_looked_at_again_soon() -> None:
    world, account = World(free_in(3600.0)), Account(Terms())
    assert world.ask(account.reserve(wanted(jitter=0.9))).again_in_s < 1.1


def test_bulk_cannot_sell_out_the_near_future_of_urgent_mail() -> None:
    world, bulk, urgent = World(dict(FREE)), Account(Terms(bulk_share=1e-6)), Account(Terms())
    while world.ask(bulk.reserve(wanted(lane="bulk"))).instants:
        pass
    (first, *_) = world.ask(urgent.reserve(wanted())).instants
    assert first <= MAX_LEAD_S + HORIZON_S["bulk"] + 0.1 + 0.1  # the share's one chunk as well


@pytest.mark.parametrize("lead_s", [0.04, MAX_LEAD_S])
def test_all_senders_see_room_alike_whatever_their_lead(lead_s: float) -> None:
    end_s = MAX_LEAD_S + HORIZON_S["transactional"]
    for free_s, room in ((end_s - 0.01, True), (end_s + 0.01, False)):
        reservation = World(free_in(free_s)).ask(Account(Terms()).reserve(wanted(lead_s=lead_s)))
        assert bool(reservation.instants) == room


def test_urgent_mail_cannot_sell_out_bulk_mails_share() -> None:
    world, urgent, bulk = World(dict(FREE)), Account(Terms()), Account(Terms())
    now_us, counts = NOW_US, {"transactional": 0, "bulk": 0}
    while now_us < NOW_US + 20 * SECOND_US:
        for lane, account in (("transactional", urgent), ("bulk", bulk)):
            found = world.ask(account.reserve(wanted(now_us, lane=lane)))
            counts[lane] += len(found.instants)
        now_us += 20_000
    assert counts["bulk"] == pytest.approx(200, abs=20)
    assert sum(counts.values()) == pytest.approx(2100, abs=40)  # a second ahead


def test_of_two_that_want_the_share_at_once_one_gets_it() -> None:
    item = free_in(2.0)
    world, senders = World(item), [Account(Terms()), Account(Terms())]
    for one in senders:
        one.seen = Item(item["tat"])
    steps = [one.reserve(wanted(lane="bulk")) for one in senders]
    changes = [next(one) for one in steps]
    fates = [world.write(one) for one in changes]
    assert [isinstance(one, Changed) for one in fates] == [True, False]
    assert fates[0].item["tatBulk"] == NOW_US + SECOND_US  # ten slots at a tenth of 100/s


def test_a_mail_with_many_recipients_takes_so_many_slots_in_a_row() -> None:
    world, account = World(dict(FREE)), Account(Terms())
    reservation = world.ask(account.reserve(wanted(recipients=50, at_most=50)))
    assert len(reservation.instants) == 50
    assert world.item["tat"] == NOW_US + 600_000


def test_without_a_known_quota_nothing_may_be_sent() -> None:
    world = World(dict(FREE))
    assert not world.ask(Account(Terms()).reserve(wanted(quota=0.0))).instants
    assert world.writes == 0


def test_with_a_clock_that_is_not_relied_on_bulk_waits_and_urgent_mail_takes_its_small_part() -> (
    None
):
    world, account = World(dict(FREE)), Account(Terms(unsure_share=0.1))
    assert not world.ask(account.reserve(wanted(lane="bulk", unsure=True))).instants
    got = [
        len(world.ask(account.reserve(wanted(NOW_US + us, unsure=True, senders=2))).instants)
        for us in (0, 199_999, 200_000, 300_000, 400_000)
    ]
    assert got == [1, 0, 1, 0, 1]  # ten a second between two


@pytest.mark.parametrize("behind_us", [-500_000, -30_000, 30_000, 500_000])
def test_a_sender_whose_clock_is_wrong_and_not_known_does_not_exceed_the_quota(
    behind_us: int,
) -> None:
    world, good, unsure = World(dict(FREE)), Account(Terms()), Account(Terms())
    instants = list[float]()
    for now_us in range(NOW_US, NOW_US + 20 * SECOND_US, 50_000):
        there = wanted(now_us - behind_us, unsure=True)
        for found in (world.ask(good.reserve(wanted(now_us))), world.ask(unsure.reserve(there))):
            instants += absolute(now_us, found)
    assert len(instants) > 19 * 100
    assert worst_window(instants) <= QUOTA


def test_a_missing_item_is_born_behind_what_others_may_hold() -> None:
    world, account = World(None), Account(Terms())
    assert not world.ask(account.reserve(wanted())).instants
    assert world.item["tat"] == NOW_US + round(held_s(100) * 1e6)


def test_a_missing_item_is_born_never_below_what_is_known() -> None:
    world, account = World(None), Account(Terms())
    account.seen = Item(NOW_US + 15 * SECOND_US, factor=WHOLE // 2, factor_at=NOW_US)
    world.ask(account.reserve(wanted(NOW_US + 14 * SECOND_US)))
    assert world.item["tat"] >= NOW_US + (14 + 2) * SECOND_US
    assert world.item["factor"] == WHOLE // 2


def test_an_item_that_a_wrong_clock_has_put_far_ahead_is_mended_once() -> None:
    world = World(free_in(3600.0))
    right, other, wrong = (Account(Terms()) for _ in range(3))
    for one in (right, other, wrong):
        one.seen = Item(NOW_US + 3600 * SECOND_US)
    assert not world.ask(wrong.reserve(wanted(unsure=True))).instants
    assert world.item == free_in(3600.0)
    for one in (right, other):
        assert not world.ask(one.reserve(wanted())).instants
        assert world.item["tat"] == NOW_US + round(held_s(100) * 1e6)
    later_us = NOW_US + round(held_s(100) * 1e6)
    assert world.ask(wrong.reserve(wanted(later_us, unsure=True))).instants


def test_an_item_whose_tat_is_no_number_says_so() -> None:
    steps = Account(Terms()).reserve(wanted())
    next(steps)
    for _ in range(TRIES - 1):
        steps.send(Refused({"factor": 1}))
    with pytest.raises(CallFailed, match="delete it"):
        steps.send(Refused({"factor": 1}))


def test_throttles_halve_the_factor_once_a_second_for_all() -> None:
    world, senders = World(dict(FREE)), [Account(Terms()), Account(Terms())]
    for one in senders:
        world.ask(one.reserve(wanted()))
    assert [world.ask(one.halve(NOW_US)) for one in senders] == [True, False]
    assert world.ask(senders[1].halve(NOW_US + 999_999)) is False
    assert world.item["factor"] == WHOLE // 2
    assert world.ask(senders[1].halve(NOW_US + SECOND_US)) is True
    assert world.item["factor"] == pytest.approx(WHOLE * 0.2525)
    later = wanted(NOW_US + SECOND_US)
    assert senders[1].rate(later) == pytest.approx(25.25, rel=1e-3)
    world.ask(senders[0].reserve(later))
    assert senders[0].rate(later) == pytest.approx(25.25, rel=1e-3)


def test_a_factor_has_a_floor() -> None:
    world, account = World(dict(FREE)), Account(Terms())
    world.ask(account.reserve(wanted()))
    for second in range(20):
        world.ask(account.halve(NOW_US + second * SECOND_US))
    assert world.item["factor"] >= SMALLEST_FACTOR * WHOLE - 1


def test_a_cap_gives_slots_up_to_its_horizon_and_knows_when_it_is_full() -> None:
    world, seen, waits = World(None), None, list[float]()
    for _ in range(40):
        taken = world.ask(take_capped(seen, now_us=NOW_US, rate=10, recipients=1))
        seen = taken.item
        if isinstance(taken, Full):
            break
        waits.append((taken.at_us - NOW_US) / 1e6)
    assert waits == pytest.approx([n / 10 for n in range(21)])
    writes = world.writes
    assert isinstance(world.ask(take_capped(seen, now_us=NOW_US, rate=10, recipients=1)), Full)
    assert world.writes == writes
    later_us = NOW_US + SECOND_US
    assert isinstance(world.ask(take_capped(seen, now_us=later_us, rate=10, recipients=5)), Taken)


def test_a_caps_item_far_ahead_comes_back_to_what_the_largest_mail_can_have_left() -> None:
    world = World(free_in(3000.0))
    seen = Item(world.item["tat"])
    taken = world.ask(take_capped(seen, now_us=NOW_US, rate=1 / 60, recipients=1))
    assert isinstance(taken, Full)
    assert world.item == free_in(3000.0)  # 50 recipients at this rate
    taken = world.ask(take_capped(seen, now_us=NOW_US, rate=10, recipients=1))
    assert taken.item.tat == NOW_US + 7 * SECOND_US
    after_s = 5 * SECOND_US
    taken = world.ask(take_capped(taken.item, now_us=NOW_US + after_s, rate=10, recipients=1))
    assert isinstance(taken, Taken)
