"""One entry of a batch fails: what is forwarded and what is told, as values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.local.stores.partial import OPERATIONS, split

counts = st.integers(1, 25)
places = st.floats(0, 1)
SQS = "sqs.SendMessageBatch"


def entries(count: int) -> dict[str, Any]:
    """A batch of SQS."""
    return {"QueueUrl": "q", "Entries": [{"Id": str(number)} for number in range(count)]}


@given(counts, places)
def test_of_an_sqs_batch_every_entry_is_forwarded_or_failed(count: int, which: float) -> None:
    parted = split(SQS, entries(count), which)
    assert parted
    rest, merge = parted
    sent = [one["Id"] for one in rest["Entries"]] if rest else []
    answer = merge({"Successful": [{"Id": one} for one in sent]} if rest else {})
    failed = [one["Id"] for one in answer["Failed"]]
    assert len(failed) == 1
    assert sorted(sent + failed, key=int) == [str(number) for number in range(count)]
    assert [one["Id"] for one in answer["Successful"]] == sent


@given(counts, places)
def test_of_a_batch_of_statements_the_failed_one_keeps_its_place(count: int, which: float) -> None:
    request = {"Statements": [{"Statement": str(number)} for number in range(count)]}
    parted = split("dynamodb.BatchExecuteStatement", request, which)
    assert parted
    rest, merge = parted
    told = [{"Item": one["Statement"]} for one in rest["Statements"]] if rest else []
    answers = merge({"Responses": told})["Responses"]
    assert len(answers) == count
    wrong = [number for number, one in enumerate(answers) if "Error" in one]
    right = [one["Item"] for one in answers if "Item" in one]
    assert len(wrong) == 1
    assert right == [str(number) for number in range(count) if number != wrong[0]]


@given(st.dictionaries(st.sampled_from("AB"), counts, min_size=1), places)
def test_of_written_items_one_stays_unprocessed(tables: dict[str, int], which: float) -> None:
    items = {table: [[table, number] for number in range(n)] for table, n in tables.items()}
    parted = split("dynamodb.BatchWriteItem", {"RequestItems": items}, which)
    assert parted
    rest, merge = parted
    left = merge({})["UnprocessedItems"]
    kept = rest["RequestItems"] if rest else {}
    both = {table: [*kept.get(table, []), *left.get(table, [])] for table in tables}
    assert {table: sorted(one) for table, one in both.items()} == items
    assert sum(map(len, left.values())) == 1


@given(counts, places)
def test_of_read_items_one_stays_unprocessed(count: int, which: float) -> None:
    keys = [{"id": {"N": str(number)}} for number in range(count)]
    request = {"RequestItems": {"T": {"Keys": keys, "ConsistentRead": True}}}
    parted = split("dynamodb.BatchGetItem", request, which)
    assert parted
    rest, merge = parted
    answer = merge({"Responses": {"T": []}, "UnprocessedKeys": {}})
    left = answer["UnprocessedKeys"]["T"]
    assert left["ConsistentRead"] is True
    kept = rest["RequestItems"]["T"]["Keys"] if rest else []
    assert sorted([*kept, *left["Keys"]], key=str) == sorted(keys, key=str)
    assert len(left["Keys"]) == 1


def test_what_is_no_batch_or_empty_is_left_alone() -> None:
    assert split("dynamodb.GetItem", {"TableName": "T"}, 0.5) is None
    for operation in OPERATIONS:
        assert split(operation, {}, 0.5) is None
        for member in ("Entries", "Statements", "RequestItems"):
            assert split(operation, {member: 5}, 0.5) is None
