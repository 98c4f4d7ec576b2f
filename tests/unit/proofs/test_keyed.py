"""The judge of posts under keys: an honest run passes, every doctored one is told of."""

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.keyed import Answer, row, short

Run = tuple[list[Answer], list[dict[str, Any]]]


def accepted(email_id: str, recipient: str) -> dict[str, Any]:
    return {
        "kind": "attempt",
        "verdict": "accepted",
        "tags": {"email_id": email_id},
        "recipients": [recipient],
    }


def honest() -> Run:
    """Two keys, the second contested."""
    answers = [
        Answer("k1", "a", 202, "e1", replayed=False),
        Answer("k1", "a", 202, "e1", replayed=True),
        Answer("k1", "a", 202, "e1", replayed=True, late=True),
        Answer("k1", "b", 409, None, replayed=False, late=True),
        Answer("k2", "c", 409, None, replayed=False),
        Answer("k2", "d", 202, "e2", replayed=False),
        Answer("k2", "d", 202, "e2", replayed=True, late=True),
    ]
    throttled = {**accepted("e1", "a"), "verdict": "throttled"}
    return answers, [throttled, accepted("e1", "a"), {"kind": "event"}, accepted("e2", "d")]


def judged(change: Callable[[Run], object], *, kills: int = 2, cut: int = 3) -> list[str]:
    run = honest()
    change(run)
    return short(row(*run, kills=kills, cut=cut), keys=2, kills=2)


def test_an_honest_run_passes() -> None:
    assert judged(lambda _: None) == []
    found = row(*honest(), kills=2, cut=3)
    assert found["faults"] == []
    assert (found["keys"], found["mails"], found["doubled"]) == (2, 2, 0)
    assert (found["posts"], found["replayed"], found["conflicts"]) == (7, 3, 2)


def replace(run: Run, index: int, **changes: Any) -> None:
    run[0][index] = run[0][index]._replace(**changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: run[1].append(accepted("e1", "a")), "SES accepted its mail 2 times"),
        (lambda run: run[1].pop(1), "SES accepted its mail 0 times"),
        (lambda run: run[1].append(accepted("e9", "z")), "which nobody was promised"),
        (lambda run: run[1][3].update(recipients=["c"]), "another body than the one"),
        (lambda run: replace(run, 1, email_id="e9"), "2 ids were promised"),
        (lambda run: replace(run, 3, status=202, email_id="e1"), "for 2 bodies"),
        (lambda run: replace(run, 4, status=500), "another body was answered with 500"),
        (lambda run: replace(run, 1, status=409), "was also answered with 409"),
        (lambda run: replace(run, 2, replayed=False), "not marked as a replay"),
        (lambda run: run[0].__delitem__(slice(4, None)), "keys is 1, not 2"),
    ],
)
def test_a_doctored_run_is_told_of(change: Callable[[Run], object], said: str) -> None:
    assert any(said in fault for fault in judged(change)), judged(change)


def test_a_run_that_tried_nothing_proves_nothing() -> None:
    assert judged(lambda _: None, cut=0) == ["no post was cut: the kills hit nothing"]
    assert judged(lambda _: None, kills=1) == ["kills is 1, not 2"]

    def uncontested(run: Run) -> None:
        run[0][:] = [one for one in run[0] if one.status != 409]

    assert judged(uncontested) == ["no post was in conflict: nothing was contested"]
