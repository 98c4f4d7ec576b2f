"""The simulator's events have exactly the form of AWS's examples."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from infra.local.ses.events import Accepted, event, identifier
from infra.local.ses.outcomes import Due, plan
from infra.local.ses.sending import decode

EXAMPLES = Path(__file__).parents[2] / "data" / "ses_events"
REQUEST = {
    "FromEmailAddress": "Acme <news@example.com>",
    "Destination": {"ToAddresses": ["ana@example.net"]},
    "Content": {
        "Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}, "Headers": []}
    },
    "ConfigurationSetName": "set",
    "EmailTags": [
        {"Name": "email_id", "Value": "e1"},
        {"Name": "attempt", "Value": "1"},
        {"Name": "tenant", "Value": "default"},
    ],
}
OPTIONAL = {"subject"}  # AWS's own example of a Send lacks it


def shape(value: Any) -> Any:
    """Names and types, without values; a list by its first element."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items() if name not in OPTIONAL}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def publish(recipient: str, event_type: str) -> dict[str, Any]:
    """The event of this type that a mail to this recipient causes."""
    accepted = Accepted(
        "0100-x", decode(json.dumps(REQUEST).encode()), 1_795_514_400.0, "us-east-1"
    )
    due = next(one for one in plan([recipient], Random(1), 1.0) if one.event_type == event_type)
    return event(accepted, due, at_s=1_795_514_401.0, choice=Random(1))


@pytest.mark.parametrize(
    ("recipient", "event_type"),
    [
        ("ana@example.net", "Send"),
        ("ana@example.net", "Delivery"),
        ("bounce@simulator.amazonses.com", "Bounce"),
        ("complaint@simulator.amazonses.com", "Complaint"),
    ],
)
def test_an_event_has_the_form_of_awss_example(recipient: str, event_type: str) -> None:
    example = json.loads((EXAMPLES / f"{event_type.lower()}.json").read_text())
    assert shape(publish(recipient, event_type)) == shape(example)


@pytest.mark.parametrize(
    ("local", "types"),
    [
        ("success", ["Send", "Delivery"]),
        ("bounce+label", ["Send", "Bounce"]),
        ("complaint", ["Send", "Delivery", "Complaint"]),
        ("ooto+x", ["Send", "Delivery", "Bounce"]),
        ("suppressionlist", ["Send", "Bounce"]),
    ],
)
def test_each_simulator_address_has_its_outcome_in_order(local: str, types: list[str]) -> None:
    due = plan([f"{local}@simulator.amazonses.com"], Random(7), 1.0)
    assert [one.event_type for one in sorted(due)] == types


def test_several_bounces_of_one_mail_come_as_one_event_and_deliveries_singly() -> None:
    addresses = [f"{one}@simulator.amazonses.com" for one in ("bounce+1", "bounce+2")]
    due = plan([*addresses, "a@example.net", "b@example.net"], Random(1), 1.0)
    assert [one.recipients for one in due if one.event_type == "Bounce"] == [addresses]
    assert [one.recipients for one in due if one.event_type == "Delivery"] == [
        ["a@example.net"],
        ["b@example.net"],
    ]


def test_delays_scale_and_are_reproducible() -> None:
    once = plan(["a@example.net"], Random(3), 1.0)
    assert plan(["a@example.net"], Random(3), 1.0) == once
    slow = plan(["a@example.net"], Random(3), 10.0)
    assert [one.after_s for one in slow] == pytest.approx([one.after_s * 10 for one in once])
    assert isinstance(once[0], Due)


def test_ids_have_sess_form() -> None:
    first, second = identifier(1.0, Random(1)), identifier(1.0, Random(2))
    assert first != second
    assert len(first) == 60
    assert first.endswith("-000000")
