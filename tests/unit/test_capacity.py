"""Capacity units: answers worked out by hand, what always holds, and the decision's tables."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpipe import resources
from mailpipe.aws.capacity import WriteUnits, item_bytes, read_units, write_units
from mailpipe.aws.dynamodb_operations import Item
from mailpipe.aws.items import to_item
from mailpipe.statements import EmailStatements
from tests import writes_of_a_mail as mail

DECISION = Path(__file__).parents[2] / "docs" / "decisions" / "0004-partiql-batches.md"
TRACKING, EVENTS, LEDGER = resources.EMAIL_TRACKING, resources.EMAIL_EVENTS, resources.LEDGER

values = st.recursive(
    st.text(max_size=40) | st.integers(-(10**37), 10**37) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
items = st.dictionaries(st.text(min_size=1, max_size=12), values, max_size=6).map(to_item)
keys = st.sampled_from(["open#1", "open#2", "failed#2026-11-24#1"])
tracked = st.fixed_dictionaries(
    {"emailId": st.just("e1"), "createdAt": st.just(7), "filler": st.text(max_size=2000)},
    optional={"open": keys, "dayKey": keys, "recipientKey": keys},
).map(to_item)


def of_bytes(size: int, **more: str) -> Item:
    """An item of `Ledger` of exactly this many bytes."""
    item = to_item({"kind": "k", "id": "i", "filler": "", **more})
    item["filler"] = {"S": "x" * (size - item_bytes(item))}
    assert item_bytes(item) == size
    return item


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"a": {"S": ""}}, 1),
        ({"name": {"S": "value"}}, 4 + 5),
        ({"straße": {"S": "\N{GRINNING FACE}é"}}, 7 + 4 + 2),
        ({"n": {"N": "0"}}, 1 + 1),
        ({"n": {"N": "7"}}, 1 + 1 + 1),
        ({"n": {"N": "42"}}, 1 + 1 + 1),
        ({"n": {"N": "123"}}, 1 + 2 + 1),
        ({"n": {"N": "-123"}}, 1 + 2 + 1),
        ({"n": {"N": "120000"}}, 1 + 1 + 1),
        ({"n": {"N": "0.0012"}}, 1 + 1 + 1),
        ({"n": {"N": "1763633732901"}}, 1 + 7 + 1),
        ({"n": {"N": "9" * 38}}, 1 + 19 + 1),
        ({"b": {"BOOL": False}, "z": {"NULL": True}}, 2 + 2),
        ({"l": {"L": []}, "m": {"M": {}}}, 1 + 3 + 1 + 3),
        ({"l": {"L": [{"S": "ab"}, {"N": "1"}]}}, 1 + 3 + (1 + 2) + (1 + 2)),
        ({"m": {"M": {"a1": {"S": "xyz"}}}}, 1 + 3 + (1 + 2 + 3)),
        ({"m": {"M": {"l": {"L": [{"L": []}]}}}}, 1 + 3 + (1 + 1 + 3 + (1 + 3))),
    ],
)
def test_sizes_worked_out_by_hand(item: Item, size: int) -> None:
    assert item_bytes(item) == size


def test_a_type_that_we_never_write_has_no_size() -> None:
    with pytest.raises(ValueError, match="SS"):
        item_bytes({"a": {"SS": ["x"]}})


@pytest.mark.parametrize(
    ("size", "units"), [(20, 1), (1023, 1), (1024, 1), (1025, 2), (2048, 2), (2049, 3), (4097, 5)]
)
def test_a_write_unit_is_a_kib_begun(size: int, units: int) -> None:
    item, small = of_bytes(size), of_bytes(20)
    for before, after in ((None, item), (item, None), (item, small), (small, item), (item, item)):
        assert write_units(LEDGER, before, after) == WriteUnits(units, {})
        assert write_units(LEDGER, before, after, applied=False) == WriteUnits(units, {})
        assert write_units(LEDGER, before, after, transactional=True) == WriteUnits(2 * units, {})


def test_a_write_to_a_missing_item_that_makes_none_costs_one() -> None:
    assert write_units(TRACKING, None, None, applied=False) == WriteUnits(1, {})


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 3)]
)
def test_a_read_unit_is_four_kib_begun_and_half_of_it_when_eventual(size: int, units: int) -> None:
    assert read_units(size, consistent=True) == units
    assert read_units(size, consistent=False) == units / 2


KEYED: Item = to_item({"emailId": "e", "createdAt": 1, "open": "open#1"})
MOVED: Item = KEYED | {"open": {"S": "failed#2026-11-24#1"}}
UNKEYED: Item = to_item({"emailId": "e", "createdAt": 1})


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, KEYED, 1),
        (KEYED, None, 1),
        (UNKEYED, KEYED, 1),
        (KEYED, UNKEYED, 1),
        (KEYED, MOVED, 2),
        (KEYED, KEYED | {"createdAt": {"N": "2"}}, 2),
        (KEYED, KEYED | {"status": {"S": "sent"}}, 0),
        (UNKEYED, UNKEYED, 0),
        (None, UNKEYED, 0),
        (None, to_item({"emailId": "e", "open": "open#1"}), 0),  # no sort key: not in the index
    ],
)
def test_an_index_bills_puts_moves_and_removals(
    before: Item | None, after: Item | None, units: int
) -> None:
    expected = {"byState": units} if units else {}
    assert write_units(TRACKING, before, after) == WriteUnits(1, expected)
    assert write_units(TRACKING, before, after, applied=False) == WriteUnits(1, {})
    assert write_units(TRACKING, before, after).total == 1 + units


def test_an_index_bills_its_own_keys_and_the_tables_and_nothing_else() -> None:
    large = to_item({"filler": "x" * 5000})
    assert write_units(TRACKING, None, KEYED | large) == WriteUnits(5, {"byState": 1})
    day, key = "d" * 600, "k" * 600
    event = to_item({"emailId": "e", "eventKey": key, "dayKey": day})
    assert write_units(EVENTS, None, event) == WriteUnits(2, {"byTenantDay": 2})
    moved = event | {"dayKey": {"S": "d"}}  # the delete by the old entry, the put by the new
    assert write_units(EVENTS, event, moved) == WriteUnits(2, {"byTenantDay": 2 + 1})


@given(items, values, st.text(min_size=1, max_size=12))
def test_another_attribute_only_adds(item: Item, value: object, name: str) -> None:
    rest = {one: typed for one, typed in item.items() if one != name}
    more = rest | to_item({name: value})
    assert item_bytes(more) >= item_bytes(rest) + len(name.encode())
    assert write_units(LEDGER, None, more).table >= write_units(LEDGER, None, rest).table


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_reads_never_fall_with_the_size(one: int, other: int) -> None:
    small, large = sorted((one, other))
    for consistent in (True, False):
        assert (
            0.5
            <= read_units(small, consistent=consistent)
            <= read_units(large, consistent=consistent)
        )


@given(st.none() | tracked, st.none() | tracked)
def test_no_write_is_free_and_a_failed_condition_bills_the_table_the_same(
    before: Item | None, after: Item | None
) -> None:
    units = write_units(TRACKING, before, after)
    assert units.table >= 1
    assert write_units(TRACKING, before, after, applied=False) == WriteUnits(units.table, {})
    assert units.total == units.table + sum(units.indexes.values())
    assert all(1 <= cost <= 2 for cost in units.indexes.values())


@given(st.none() | tracked, st.none() | tracked)
def test_there_and_back_cost_the_same(before: Item | None, after: Item | None) -> None:
    assert write_units(TRACKING, before, after) == write_units(TRACKING, after, before)


@given(tracked)
def test_a_write_that_changes_nothing_costs_no_index(item: Item) -> None:
    assert write_units(TRACKING, item, item).indexes == {}


# The decision: what it prints is what the code makes.


async def test_the_decision_prints_every_statement_as_it_is_sent() -> None:
    block = re.search(r"```sql\n(.*?)```", DECISION.read_text(), re.DOTALL)
    assert block is not None
    printed = re.findall(r"^-- (.+)\n(.+)$", block[1], re.MULTILINE)
    assert printed == [(name, made.text) for name, made in (await mail.forms()).items()]


def test_no_write_to_a_record_is_missing_there() -> None:
    """A new method of EmailStatements belongs into `tests/writes_of_a_mail.py` and the decision."""
    methods = {name for name in vars(EmailStatements) if not name.startswith("_")}
    assert methods == {
        *("insert", "insert_stub", "claim", "release", "take_over", "sent", "end", "reschedule"),
        *("keep_stub", "end_in_doubt", "raise_recipient", "raise_to", "adopt", "close", "give_up"),
    }


async def test_every_statement_has_a_parameter_for_each_mark() -> None:
    for name, made in (await mail.forms()).items():
        assert made.text.count("?") == len(made.parameters), name


def _row(write: mail.Write) -> tuple[str, ...]:
    before, after = (None if one is None else to_item(one) for one in (write.before, write.after))
    units = write_units(write.table, before, after, applied=write.applied)
    size = max(item_bytes(one) for one in (before, after, {}) if one is not None)
    indexes = ", ".join(f"{name} {cost}" for name, cost in units.indexes.items()) or "-"
    return (write.name, str(size), str(units.table), indexes, str(units.total))


async def test_the_decisions_table_is_what_the_function_says() -> None:
    parts = {life: list(map(_row, writes)) for life, writes in (await mail.lives()).items()}
    expected = [row for life, rows in parts.items() for row in (*rows, _sum(life, rows))]
    expected += map(_row, mail.refusals())
    table = re.search(r"\| write \|.*?\n\|[-|]+\n(.*?)\n\n", DECISION.read_text(), re.DOTALL)
    assert table is not None
    printed = [
        tuple(cell.strip(" *") for cell in line.strip("|").split("|"))
        for line in table[1].splitlines()
    ]
    assert printed == expected


def _sum(life: str, rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    table, total = (sum(int(row[column]) for row in rows) for column in (2, 4))
    return (f"{life}, together", "", str(table), str(total - table), str(total))
