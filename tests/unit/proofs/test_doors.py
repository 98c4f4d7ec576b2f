"""The judge of both doors finds what is doctored into a run that was right."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtest.doors import (
    Case,
    Door,
    Found,
    Outside,
    Request,
    envelope,
    expand,
    final,
    judge,
    parts,
    read,
    request_body,
    to_bytes,
)

GOOD = Case(row="71", name="a good one", expects="accepted", email={})
BROKEN = Case(row="36", name="a broken one", expects="subject required", email={"subject": ""})


def right() -> list[Found]:
    """Each case at each door, judged as it must be."""
    return [
        Found(case, door, str(case.expects)) for case in (GOOD, BROKEN) for door in case.asked()
    ]


def outside(**changes: Any) -> Outside:
    """One mail of each door, and nothing else."""
    seen = Outside(stored=["a", "b", "c"], sent=["a", "b"], promised=["a", "b", "c", "d"])
    return msgspec.structs.replace(seen, **changes)


def test_a_run_that_was_right_has_no_fault() -> None:
    row, faults = judge(right(), outside())
    assert faults == []
    assert (row["cases"], row["unequal"], row["rows"]) == (2, 0, ["36", "71"])
    assert (row["server_errors"], row["stored_after_refusal"]) == (0, 0)
    assert row["verdicts"] == {"rest": 2, "sdk": 2, "queue": 2}


@pytest.mark.parametrize("door", ["rest", "sdk", "queue"])
def test_a_door_that_differs_is_named(door: Door) -> None:
    found = [one for one in right() if (one.case, one.door) != (BROKEN, door)]
    row, faults = judge([*found, Found(BROKEN, door, "accepted")], outside())
    assert row["unequal"] == 1
    assert faults == [f"{door}, row 36, a broken one: accepted (not subject required)"]


def test_a_server_error_is_one_even_where_it_was_expected() -> None:
    expected = Case(row="1", name="x", expects="500 INTERNAL_ERROR", doors=["rest"])
    row, faults = judge([Found(expected, "rest", "500 INTERNAL_ERROR", status=500)], outside())
    assert (row["unequal"], row["server_errors"], len(faults)) == (0, 1, 1)


@pytest.mark.parametrize("where", ["stored", "sent"])
def test_what_nobody_was_promised_must_not_be_there(where: str) -> None:
    row, faults = judge(right(), outside(**{where: ["a", "x"]}))
    assert row["stored_after_refusal"] == 1
    assert faults == ["x was stored or sent, but nobody was promised it"]


def test_what_is_left_or_has_ended_is_a_fault() -> None:
    assert judge(right(), outside(left_in_queues={"mail-bulk": 2}))[1] == [
        "2 messages are left in mail-bulk"
    ]
    assert judge(right(), outside(ended=["sender has ended"]))[1] == ["sender has ended"]


REJECTED = {"status": "rejected", "reason": "subject: required: Missing required field: subject"}


@pytest.mark.parametrize(
    ("door", "status", "sent", "verdict"),
    [
        ("rest", {"status": "delivered"}, 1, "accepted"),
        ("queue", {"status": "bounced"}, 1, "accepted"),
        ("queue", REJECTED, 0, "subject required"),
        ("queue", {"status": "expired"}, 0, "expired"),
        ("sdk", {"status": "suppressed"}, 0, "suppressed"),
        ("rest", {"status": "cancelled"}, 0, "cancelled"),
        ("rest", {"status": "cancelled"}, 1, "accepted, then cancelled, sent 1 times"),
        ("rest", {"status": "scheduled"}, 0, "scheduled"),
        ("rest", {"status": "scheduled"}, 1, "accepted, then scheduled, sent 1 times"),
        ("rest", {"status": "delivered"}, 2, "accepted, then delivered, sent 2 times"),
        ("rest", {"status": "delivered"}, 0, "accepted, then delivered, sent 0 times"),
        ("rest", REJECTED, 0, "accepted, then rejected, sent 0 times"),
        ("queue", REJECTED, 1, "accepted, then rejected, sent 1 times"),
        ("sdk", {"status": "suppressed"}, 1, "accepted, then suppressed, sent 1 times"),
        ("sdk", {"error": "NOT_FOUND"}, 0, "accepted, then missing, sent 0 times"),
    ],
)
def test_what_became_of_a_mail_is_part_of_the_verdict(
    door: Door, status: dict[str, Any], sent: int, verdict: str
) -> None:
    assert final("accepted", door, dead=None, status=status, sent=sent) == verdict


@pytest.mark.parametrize(
    "verdict",
    [
        *("200, cancelled", "200, accepted", "409 CONFLICT, cancelled", "never given back"),
        "409 CONFLICT, accepted, then delivered, sent 2 times",
    ],
)
def test_a_change_of_claimed_mail_is_refused_and_the_mail_is_sent_once(verdict: str) -> None:
    claimed = [one for one in read() if one.rest is not None and one.rest.until]
    assert len(claimed) == 4
    found = [Found(one, "rest", verdict) for one in claimed]
    assert judge(found, Outside(stored=[], sent=[], promised=[]))[0]["unequal"] == 4


def test_a_dead_letter_is_told_by_its_kind() -> None:
    found = final("accepted", "queue", dead="tenant: no such", status={}, sent=0)
    assert found == "dead tenant"


def test_the_corpus_is_read_strictly(tmp_path: Path) -> None:
    case = {"row": "1", "name": "x", "expects": "accepted", "emial": {}}
    (tmp_path / "x.json").write_text(json.dumps([case]))
    with pytest.raises(msgspec.ValidationError, match="emial"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"$repeat": ["ab", 2]}, "abab"),
        ({"$repeat": [["a"], 2]}, ["a", "a"]),
        ({"$numbered": ["a{}", 2]}, ["a0", "a1"]),
        ({"$members": ["a{}", 1, 2]}, {"a0": 1, "a1": 1}),
        ({"$concat": ["a", {"$repeat": ["b", 3]}]}, "abbb"),
        ({"a": [{"$repeat": ["b", 2]}]}, {"a": ["bb"]}),
        ({}, {}),
    ],
)
def test_large_values_are_made_from_small_ones(spec: Any, value: Any) -> None:
    assert expand(spec) == value


def test_an_unknown_spec_is_no_value() -> None:
    with pytest.raises(ValueError, match=r"\$repaet"):
        expand({"$repaet": ["a", 2]})


def test_bodies_and_messages_are_as_the_case_says() -> None:
    assert to_bytes({"$latin1": "\xff"}) == b"\xff"
    assert list(parts(["a", {"$repeat": ["b", 2]}])) == [b"a", b"b", b"b"]
    sent = json.loads(request_body(Request(), BROKEN.mail()) or b"")
    assert (sent["subject"], sent["bodyText"]) == ("", "Hello")
    message = json.loads(envelope(BROKEN, "id-1"))
    assert (message["emailId"], message["email"]["subject"]) == ("id-1", "")
