"""Which replica dies where is a matter of the seed, and every instant has its turn."""

from loadtest.instants import HITS_PER_S, Decks, is_stop
from mailpipe.failpoints import NAMES, parse

BY_OTHER_LOADS = {"reschedule.copied", "reschedule.recorded", "end.written", "end.announced"}
"""Nobody cancels or reschedules mail in this proof."""


def cards(decks: Decks, service: str, count: int) -> list[str]:
    return [decks.next(service) for _ in range(count)]


def test_every_instant_there_is_has_its_turn_before_one_comes_twice() -> None:
    dealt_here = {name for names in HITS_PER_S.values() for name in names}
    assert dealt_here | BY_OTHER_LOADS == NAMES.keys()
    decks = Decks(7, rate=100)
    for service, names in HITS_PER_S.items():
        dealt = [parse(one) for one in cards(decks, service, len(names))]
        assert {one.name for one in dealt} == names.keys()
        assert {one.action for one in dealt} == {"kill"}


def test_the_seed_alone_decides() -> None:
    for service in HITS_PER_S:
        one, same, other = (cards(Decks(seed, rate=100), service, 30) for seed in (1, 1, 2))
        assert one == same != other


def test_a_light_load_comes_to_an_instant_less_often() -> None:
    heavy, light = (
        [parse(one).nth for one in cards(Decks(1, rate=rate), "processor", 90)]
        for rate in (100.0, 5.0)
    )
    assert max(light) <= 15 < max(heavy)
    assert min(light) >= 1


def test_every_second_sender_stands_still_where_that_is_asked_for() -> None:
    decks = Decks(1, rate=100, stop_ms=1500)
    dealt = [parse(one) for one in cards(decks, "sender", 10)]
    assert {(one.name, one.action, one.stop_ms) for one in dealt[::2]} == {
        ("sender.claimed", "stop", 1500)
    }
    assert {one.action for one in dealt[1::2]} == {"kill"}
    assert {parse(one).action for one in cards(decks, "processor", 10)} == {"kill"}


def test_no_second_sender_is_to_stand_still() -> None:
    decks = Decks(1, rate=100, stop_ms=1500)
    first = decks.next("sender", beside=["sender.recorded@2"])
    assert is_stop(first)
    others = [decks.next("sender", beside=[first, "ingest.queued@1"]) for _ in range(9)]
    assert not any(map(is_stop, others))
