"""The bench's judge: every figure that falls short is named."""

from typing import Any

import pytest

from loadtest.bench_ingest import MOST, short_of

GOOD: dict[str, Any] = {
    "single_us": 200.0,
    "batch_us_per_mail": 30.0,
    "sdk_us_per_mail": 50.0,
    "p99_ms": 20.0,
    "rss_mb": [250, 310, 300, 320, 310, 305, 330, 300],
}


@pytest.mark.parametrize("rss_mb", [GOOD["rss_mb"], [320, 290, 330, 325], [300, 305, 370, 270]])
def test_good_figures_pass(rss_mb: list[int]) -> None:
    assert short_of({**GOOD, "rss_mb": rss_mb}) == []


@pytest.mark.parametrize("name", MOST)
def test_a_figure_that_is_too_large_is_named(name: str) -> None:
    (said,) = short_of({**GOOD, name: MOST[name] + 0.1})
    assert said.startswith(f"{name}: {MOST[name] + 0.1}")


@pytest.mark.parametrize("rss_mb", [[250, 300, 301, 306], [300, 310, 320, 360], [*[300] * 7, 400]])
def test_memory_that_grows_from_wave_to_wave_is_named(rss_mb: list[int]) -> None:
    (said,) = short_of({**GOOD, "rss_mb": rss_mb})
    assert said.startswith(f"rss_mb: {rss_mb}")


def test_memory_above_the_most_is_named() -> None:
    (said,) = short_of({**GOOD, "rss_mb": [600, 590, 600, 601]})
    assert said.startswith("rss_mb: [600, 590, 600, 601], at most")
