"""The judge of the sender's bench: every figure that falls short is named."""

from typing import Any

import pytest

from loadtest.bench_sender import FLAT, MOST_MB, MOST_US, short_of

SEEN = {"stretches": 60, "undisturbed": 50, "not_enough": 2, "probe_us": 250.0}
SAME: dict[str, Any] = {"rounds_us": [200.0, 190.0, 230.0], "neighbours": SEEN}
GOOD: list[dict[str, Any]] = [
    {"backlog": 20_000, "us_per_mail": 219.9, "rss_mb": 90, **SAME},
    {"backlog": 100, "us_per_mail": 200.0, "rss_mb": 80, **SAME},
]


def changed(**figures: Any) -> list[dict[str, Any]]:
    """The run with the largest backlog has these figures."""
    return [GOOD[0] | figures, GOOD[1]]


def test_good_figures_pass() -> None:
    assert short_of(GOOD) == []


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"us_per_mail": 200 * FLAT + 0.1}, "more than a tenth more"),
        ({"rss_mb": MOST_MB + 1}, f"{MOST_MB + 1} MB at 20000"),
    ],
)
def test_what_is_wrong_at_the_largest_is_named(figures: dict[str, Any], told: str) -> None:
    (said,) = short_of(changed(**figures))
    assert told in said


def test_a_mail_that_costs_too_much_is_named() -> None:
    both = [run | {"us_per_mail": MOST_US + 1} for run in GOOD]
    assert [said.split(",")[0] for said in short_of(both)] == [
        f"{MOST_US + 1} us a mail at 20000",
        f"{MOST_US + 1} us a mail at 100",
    ]


@pytest.mark.parametrize(("at_largest", "count"), [(190 * FLAT, 0), (190 * FLAT + 0.1, 1)])
def test_disturbed_rounds_hide_nothing_that_grows(at_largest: float, count: int) -> None:
    seen = {"neighbours": SEEN | {"not_enough": 3}}
    runs = [GOOD[0] | seen | {"us_per_mail": at_largest}, GOOD[1] | seen]
    assert len(short_of(runs)) == count
