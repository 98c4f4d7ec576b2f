"""The simulator's events have exactly the form of AWS's examples, all ten types."""

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from infra.local.ses.events import API_NAMES, Accepted, event, identifier, notification
from infra.local.ses.outcomes import Due, bounce
from infra.local.ses.sending import decode, validate

EXAMPLES = Path(__file__).parents[2] / "data" / "ses_events"
AT_S = 1_795_514_400.0
REQUEST: dict[str, Any] = {
    "FromEmailAddress": "Acme <news@mail.example.com>",
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
FACTS: dict[str, dict[str, Any]] = {
    "Bounce": bounce("bounce"),
    "Click": {"linkTags": {"block": ["cta"], "pos": ["1"]}},
}
OPTIONAL = {"subject"}  # AWS's own example of a Send lacks it


def shape(value: Any) -> Any:
    """Names and types, without values; a list by its first element."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items() if name not in OPTIONAL}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return type(value).__name__


def accepted(**changes: Any) -> Accepted:
    """The message, taken."""
    message = validate(decode(json.dumps({**REQUEST, **changes}).encode()))
    return Accepted("0100-x", message, AT_S, "us-east-1", "mail.example.com")


def published(event_type: str, one: Accepted | None = None, **facts: Any) -> dict[str, Any]:
    """An event of this type about all recipients."""
    one = one or accepted()
    due = Due(1.0, event_type, one.message.recipients, {**FACTS.get(event_type, {}), **facts})
    made = event(one, due, at_s=AT_S + 1, choice=Random(1))
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return whole


@pytest.mark.parametrize("event_type", API_NAMES)
def test_an_event_has_the_form_of_awss_example(event_type: str) -> None:
    example = json.loads((EXAMPLES / f"{event_type.lower().replace(' ', '_')}.json").read_text())
    assert example["eventType"] == event_type
    assert shape(published(event_type)) == shape(example)


def test_bounces_complaints_and_delays_name_each_recipient_they_are_about() -> None:
    two = accepted(Destination={"ToAddresses": ["a@example.net"], "CcAddresses": ["b@x.example"]})
    both = ["a@example.net", "b@x.example"]
    for event_type, payload, member in (
        ("Bounce", "bounce", "bouncedRecipients"),
        ("Complaint", "complaint", "complainedRecipients"),
        ("DeliveryDelay", "deliveryDelay", "delayedRecipients"),
    ):
        said = published(event_type, two)
        assert [one["emailAddress"] for one in said[payload][member]] == both
        assert said["mail"]["destination"] == both
    common = published("Send", two)["mail"]["commonHeaders"]
    assert (common["to"], common["cc"]) == (["a@example.net"], ["b@x.example"])


def test_an_out_of_office_bounce_tells_no_code() -> None:
    said = published("Bounce", **bounce("out_of_office"))["bounce"]
    assert (said["bounceType"], said["bounceSubType"]) == ("Transient", "General")
    assert said["bouncedRecipients"] == [{"emailAddress": "ana@example.net"}]


@pytest.mark.parametrize("event_type", ["Bounce", "Complaint", "Delivery"])
def test_the_older_form_says_the_same_without_tags(event_type: str) -> None:
    one = accepted()
    newer = published(event_type, one)
    older = notification(one, newer)
    assert older["notificationType"] == event_type
    assert "eventType" not in older
    assert older[event_type.lower()] == newer[event_type.lower()]
    assert "tags" not in older["mail"]
    assert {"sourceIp", "callerIdentity"} <= older["mail"].keys()


def test_headers_over_10_kb_are_truncated() -> None:
    headers = [{"Name": f"X-{number}", "Value": "v" * 980} for number in range(12)]
    simple = {**REQUEST["Content"]["Simple"], "Headers": headers}
    mail = published("Send", accepted(Content={"Simple": simple}))["mail"]
    assert mail["headersTruncated"] is True
    assert sum(len(one["name"]) + len(one["value"]) for one in mail["headers"]) <= 10_000


def test_ids_have_sess_form() -> None:
    first, second = identifier(1.0, Random(1)), identifier(1.0, Random(2))
    assert first != second
    assert len(first) == 60
    assert first.endswith("-000000")
