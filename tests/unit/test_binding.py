"""What keeps mail waiting, as values."""

from sender.binding import BINDS, CONCURRENCY, DAY, LEAST_S, NOTHING, RATE, WINDOW_S, Binding


def test_the_longest_waits_of_the_last_seconds_bind() -> None:
    binding = Binding()
    binding.note(RATE, 100.0, 0.4)
    binding.note(DAY, 100.5, 0.3)
    assert binding.binds(101.0) == RATE
    binding.note(DAY, 101.0, 0.3)
    assert binding.binds(101.0) == DAY
    assert binding.binds(100.6 + WINDOW_S) == DAY
    assert binding.binds(101.1 + WINDOW_S) == NOTHING


def test_little_waits_are_no_sign() -> None:
    binding = Binding()
    assert binding.binds(0.0) == NOTHING
    binding.note(CONCURRENCY, 1.0, LEAST_S / 2)
    assert binding.binds(1.0) == NOTHING


def test_a_wait_without_end_counts_as_the_window() -> None:
    binding = Binding()
    binding.note(RATE, 1.0, float("inf"))
    assert binding.binds(1.0) == RATE
    assert binding.binds(2.0 + WINDOW_S) == NOTHING


def test_every_answer_is_in_the_list() -> None:
    assert {RATE, DAY, CONCURRENCY, NOTHING} < {*BINDS}
