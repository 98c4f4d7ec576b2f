"""How often a full lane looks for other tenants' mail."""

import pytest

from sender.digging import FRUITFUL_S, Digging


def waits(digging: Digging, now_s: float, looks: int) -> list[float]:
    """How long each of the next looks is waited for, when it comes as soon as it may."""
    found = []
    for _ in range(looks):
        found.append(digging.wait_s(now_s))
        now_s += found[-1]
        digging.due(now_s)
        digging.looked()
    return found


def test_a_queue_that_brings_nothing_is_looked_into_less_and_less() -> None:
    assert waits(Digging(0.1), 0.0, 7) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])


def test_a_find_makes_it_look_often_for_a_while_and_then_as_at_first() -> None:
    digging = Digging(0.1)
    waits(digging, 0.0, 20)
    digging.found(40.0)
    assert waits(digging, 40.5, 3) == pytest.approx([0.0, 0.01, 0.01])
    digging.found(41.0)
    digging.due(41.0)
    assert digging.wait_s(41.0 + FRUITFUL_S) == 0.0


def test_what_is_fetched_meanwhile_does_not_put_a_look_off() -> None:
    digging = Digging(0.1)
    asked = [digging.wait_s(at_s) for at_s in (0.0, 0.04, 0.08, 0.12)]
    assert asked == pytest.approx([0.1, 0.06, 0.02, 0.0])


def test_a_look_that_is_of_no_use_is_put_off_and_not_asked_for_again_at_once() -> None:
    digging = Digging(0.1)
    assert digging.wait_s(0.0) == pytest.approx(0.1)
    digging.due(0.1)
    assert digging.wait_s(0.1) == pytest.approx(0.1)
