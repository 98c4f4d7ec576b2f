"""The bench's judge: every figure that falls short is named."""

from typing import Any

import pytest

from loadtest.bench_transport import short_of
from loadtest.transport.requests import HOT


def operations(**changes: dict[str, float]) -> dict[str, Any]:
    good = {"botocore_us": 900.0, "typed_us": 90.0, "ratio": 10.0}
    return {name: {**good, **changes.get(name.partition("(")[0], {})} for name in HOT}


def test_good_figures_pass() -> None:
    assert short_of(operations(), 5.0) == []


@pytest.mark.parametrize("name", HOT)
def test_a_ratio_that_is_too_small_is_named(name: str) -> None:
    (said,) = short_of(operations(**{name.partition("(")[0]: {"ratio": 4.4}}), 5.0)
    assert said.startswith(f"{name}: 4.4 times")


@pytest.mark.parametrize("name", ["SendMessageBatch(10)", "SendEmail", "UpdateItem"])
def test_a_call_that_costs_too_much_is_named(name: str) -> None:
    (said,) = short_of(operations(**{name.partition("(")[0]: {"typed_us": 131.0}}), 5.0)
    assert said.startswith(f"{name}: 131.0 us")


def test_an_update_that_costs_too_much_is_named() -> None:
    (said,) = short_of(operations(), 12.1)
    assert said.startswith("an update in a full batch: 12.1 us")
