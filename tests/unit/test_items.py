"""DynamoDB's typed values: what is written is what is read."""

from hypothesis import given
from hypothesis import strategies as st

from mailpipe.aws.items import from_item, from_value, to_item, to_value, to_values
from mailpipe.records import Attributes, Value

PLAIN = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(st.dictionaries(st.text(), VALUES))
def test_an_item_is_read_as_it_was_written(attributes: Attributes) -> None:
    read = from_item(to_item(attributes))
    assert repr(read) == repr(attributes)  # `True == 1`, but they are of two types


@given(st.lists(VALUES))
def test_several_values_are_typed_as_each_alone(values: list[Value]) -> None:
    assert to_values(values) == [to_value(one) for one in values]
    assert repr([from_value(one) for one in to_values(values)]) == repr(values)


def test_each_type_has_its_name() -> None:
    values: list[Value] = ["x", 7, True, None, ["x", []], {"a": 1}]
    assert to_values(values) == [
        {"S": "x"},
        {"N": "7"},
        {"BOOL": True},
        {"NULL": True},
        {"L": [{"S": "x"}, {"L": []}]},
        {"M": {"a": {"N": "1"}}},
    ]
