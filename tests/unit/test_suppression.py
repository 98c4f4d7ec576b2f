"""Whom an entry of the suppression list stops."""

import pytest

from mailpipe import suppression

KEY = b"k" * 32


def item(**changes: object) -> suppression.Attributes:
    made = suppression.item_for(KEY, "t", "Ana <Ana@Bücher.example>", reason="x", added_at_ms=5)
    return made | changes  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "transactional", "bulk"),
    [
        ({}, True, True),
        ({"scope": "bulk"}, False, True),
        ({"ttl": 100}, False, False),
        ({"ttl": 101}, True, True),
    ],
)
def test_an_entry_stops_its_streams_until_it_expires(
    changes: dict[str, object], transactional: bool, bulk: bool
) -> None:
    found = item(**changes)
    assert suppression.stops(found, stream="transactional", now_s=100) is transactional
    assert suppression.stops(found, stream="bulk", now_s=100) is bulk


def test_one_entry_for_every_spelling() -> None:
    key = {name: item()[name] for name in ("tenant", "addressHash")}
    assert key == suppression.key_of(KEY, "t", "ana@xn--bcher-kva.example")
    assert item()["address"] == "Ana@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("changes", "scope", "covered"),
    [
        ({}, "bulk", True),
        ({"scope": "bulk"}, "all", False),
        ({"scope": "bulk"}, "bulk", True),
        ({"ttl": 9}, "all", False),
    ],
)
def test_an_entry_covers_what_stops_no_more(
    changes: dict[str, object], scope: str, covered: bool
) -> None:
    assert suppression.covers(item(**changes), scope) is covered


@pytest.mark.parametrize(
    ("old", "wanted", "joined"),
    [
        ("bulk", "bulk", "bulk"),
        ("bulk", "all", "all"),
        ("all", "bulk", "all"),
        (None, "bulk", "all"),
    ],
)
def test_a_scope_is_never_narrowed(old: str | None, wanted: str, joined: str) -> None:
    assert suppression.joined_scope(item(scope=old), wanted) == joined
