"""Whose turn it is, as values."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sender.turns import Excess, Joined, Turns

ROOM = 12
TENANTS = "abcd"
MAILS = st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(1, 9)), max_size=60)


def waiting(*tenants: str, room: int = 1000) -> Turns[str]:
    """A room with single mails, joined in this order; a mail is known by its tenant's name."""
    turns = Turns[str]()
    for tenant in tenants:
        turns.join(tenant, 1, tenant, room=room)
    return turns


def order(turns: Turns[str], most: int = 50) -> str:
    """Everybody, as they go."""
    return "".join(taken[1] for taken in iter(lambda: turns.take(most), None))


def test_tenants_go_in_turn_and_their_mails_in_order() -> None:
    assert order(waiting(*"aaaaabbc")) == "abcabaaa"


def test_a_mail_to_three_costs_its_tenant_three_rounds() -> None:
    turns = Turns[str]()
    for name in ("A", "a"):
        turns.join("a", 3 if name == "A" else 1, name, room=50)
    for _ in range(4):
        turns.join("b", 1, "b", room=50)
    assert order(turns) == "Abbbab"


def test_who_was_ahead_is_still_ahead_when_he_comes_back_at_once() -> None:
    turns = waiting("b", "b", "b", "b")
    turns.join("a", 3, "A", room=50)
    assert [taken[1] for taken in (turns.take(9), turns.take(9)) if taken] == ["b", "A"]
    turns.join("a", 1, "a", room=50)
    assert order(turns) == "bbba"


def test_a_pause_saves_up_no_turns() -> None:
    turns = waiting("a")
    assert order(turns) == "a"
    for _ in range(5):
        turns.join("b", 1, "b", room=50)
    assert turns.take(1) == turns.take(1) == (1, "b")
    for _ in range(3):
        turns.join("a", 1, "a", room=50)
    assert order(turns) == "bababa"


def test_a_slot_that_is_too_little_for_the_first_goes_to_the_next_that_it_is_enough_for() -> None:
    turns = Turns[str]()
    turns.join("a", 5, "A", room=50)
    turns.join("b", 1, "b", room=50)
    assert (turns.peek(), turns.take(2)) == (5, (1, "b"))
    assert turns.take(2) is None
    assert turns.take(5) == (5, "A")
    assert turns.take(5) is None


def test_in_a_full_room_the_largest_tenant_has_no_place_and_makes_place() -> None:
    turns = waiting(*"a" * ROOM, room=ROOM)
    assert not turns.has_place("a", ROOM)
    assert turns.join("a", 1, "a", room=ROOM) == Excess()
    for _ in range(ROOM // 2):
        assert turns.join("b", 1, "b", room=ROOM) == Joined("a")
    assert turns.join("b", 1, "b", room=ROOM) == Excess()
    assert turns.join("c", 1, "c", room=ROOM) in (Joined("a"), Joined("b"))


@given(MAILS)
def test_the_room_is_bounded_and_everybody_is_answered_once(mails: list[tuple[str, int]]) -> None:
    turns, given_back, left = Turns[int](), list[int](), list[int]()
    for number, (tenant, recipients) in enumerate(mails):
        match turns.join(tenant, recipients, number, room=ROOM):
            case Excess():
                given_back.append(number)
            case Joined(displaced) if displaced is not None:
                given_back.append(displaced)
        assert turns.recipients < ROOM + 9 * len(TENANTS)
        if number % 3 == 0 and (taken := turns.take(4)):
            left.append(taken[1])
    left += turns.clear()
    assert sorted(given_back + left) == list(range(len(mails)))
    assert (turns.recipients, turns.mails, turns.take(9)) == (0, 0, None)


@given(st.lists(st.tuples(*[st.integers(1, 9)] * len(TENANTS)), min_size=1, max_size=30))
def test_who_waits_gets_as_much_as_any_other_give_or_take_a_mail(
    rows: list[tuple[int, ...]],
) -> None:
    turns, served = Turns[str](), Counter[str]()
    left = {tenant: len(rows) for tenant in TENANTS}
    for row in rows:
        for tenant, recipients in zip(TENANTS, row, strict=True):
            turns.join(tenant, recipients, tenant, room=10_000)
    while all(left.values()):
        taken = turns.take(9)
        assert taken is not None
        served[taken[1]] += taken[0]
        left[taken[1]] -= 1
        assert max(served.values()) - min(served[one] for one in TENANTS) <= 2 * 9


@given(MAILS, st.integers(1, 9))
def test_no_slot_is_wasted_while_there_is_a_mail_that_it_is_enough_for(
    mails: list[tuple[str, int]], most: int
) -> None:
    turns, fronts = Turns[str](), dict[str, list[int]]()
    for tenant, recipients in mails:
        turns.join(tenant, recipients, tenant, room=10_000)
        fronts.setdefault(tenant, []).append(recipients)
    while any(some and some[0] <= most for some in fronts.values()):
        taken = turns.take(most)
        assert taken is not None
        assert fronts[taken[1]].pop(0) == taken[0] <= most
    assert turns.take(most) is None


def test_who_holds_less_than_the_others_holds_little() -> None:
    assert not waiting("a").holds_little("a")
    turns = waiting(*"aaaab")
    assert (turns.holds_little("a"), turns.holds_little("b")) == (False, True)
    assert not waiting(*"ab").holds_little("b")
