"""What the simulator refuses, with SES's codes."""

import copy
import json
from typing import Any

import pytest

from infra.local.ses.sending import Refusal, decode, validate

GOOD: dict[str, Any] = {
    "FromEmailAddress": "a@example.com",
    "Destination": {"ToAddresses": ["Bob <b@example.com>"]},
    "Content": {
        "Simple": {
            "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": "x"}},
            "Headers": [{"Name": "X-A", "Value": "1"}],
        }
    },
    "EmailTags": [{"Name": "a", "Value": "b"}],
}


def changed(path: str, value: Any) -> bytes:
    """The good request with one member replaced."""
    request = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    inner = request
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return json.dumps(request).encode()


def test_a_good_request_passes() -> None:
    request = decode(json.dumps(GOOD).encode())
    assert validate(request).subject.data == "Grüße"
    assert request.recipients() == ["b@example.com"]


def test_a_quoted_comma_in_a_name_is_still_one_recipient() -> None:
    request = decode(changed("Destination.ToAddresses", ['"Doe, Jane" <b@example.com>']))
    validate(request)
    assert request.recipients() == ["b@example.com"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("FromEmailAddress", "nobody"),
        ("Destination", {}),
        ("Destination.ToAddresses", [f"a{i}@example.com" for i in range(51)]),
        ("Destination.ToAddresses", ["ü@example.com"]),
        ("Destination.ToAddresses", ["a@bücher.example"]),
        ("Destination.ToAddresses", ["a b@example.com"]),
        ("Destination.ToAddresses", ["a@example.com, c@example.com"]),
        ("Destination.ToAddresses", ["Jörg <a@example.com>"]),
        ("ReplyToAddresses", ["a@example.com, c@example.com"]),
        ("Content", {}),
        ("Content", {"Raw": {"Data": ""}}),
        ("Content.Simple.Subject", {"Data": "Grüße"}),
        ("Content.Simple.Subject", {"Data": "a\nb"}),
        ("Content.Simple.Body", {}),
        ("Content.Simple.Headers", [{"Name": f"X-{i}", "Value": "1"} for i in range(16)]),
        ("Content.Simple.Headers", [{"Name": "X A", "Value": "1"}]),
        ("Content.Simple.Headers", [{"Name": "X-A", "Value": "ü"}]),
        ("Content.Simple.Headers", [{"Name": "X-A", "Value": "x" * 996}]),
        ("Content.Simple.Attachments", [{}]),
        ("EmailTags", [{"Name": "a b", "Value": "c"}]),
        ("EmailTags", [{"Name": "a", "Value": "x@y"}]),
        ("EmailTags", [{"Name": "a", "Value": "x" * 257}]),
        ("Content.Simple.Subject", 5),
    ],
)
def test_what_ses_refuses_is_refused(path: str, value: Any) -> None:
    with pytest.raises(Refusal) as refused:
        validate(decode(changed(path, value)))
    assert (refused.value.status, refused.value.code) == (400, "BadRequestException")
