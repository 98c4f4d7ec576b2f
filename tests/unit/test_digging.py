"""How often a full lane looks for other tenants' mail."""

import pytest

from sender.digging import FRUITFUL_S, Digging


def waits(digging: Digging, now_s: float, looks: int) -> list[float]:
    found = []
    for _ in range(looks):
        found.append(digging.wait_s(now_s))
        digging.looked()
    return found


def test_a_queue_that_brings_nothing_is_looked_into_less_and_less() -> None:
    assert waits(Digging(0.1), 0.0, 7) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])


def test_a_find_makes_it_look_often_for_a_while_and_then_as_at_first() -> None:
    digging = Digging(0.1)
    waits(digging, 0.0, 2_000)
    digging.found(5.0)
    assert waits(digging, 5.9, 3) == pytest.approx([0.01] * 3)
    digging.found(6.0)
    assert digging.wait_s(6.0 + FRUITFUL_S) == pytest.approx(0.1)
