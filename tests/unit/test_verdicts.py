"""The sender's decisions about what it cannot read."""

import pytest

from sender.verdicts import unreadable


@pytest.mark.parametrize("body", ['{"type":"email.v2"}', '{"a":1, "type" : "email.v17"}'])
def test_a_newer_version_says_so_and_can_be_put_back(body: str) -> None:
    assert unreadable(body, ValueError("x")).startswith("version: email.v")


@pytest.mark.parametrize("body", ["", "{}", '{"type":"email.v1"}', '{"type":"webhook.v2"}'])
def test_anything_else_is_unparseable_with_the_cause(body: str) -> None:
    assert unreadable(body, ValueError("why")) == "unparseable: why"
