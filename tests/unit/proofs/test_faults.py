"""The judge of faults on doctored logs."""

from collections.abc import Callable
from typing import Any

import pytest

from loadtest.faults import ALL, NONE, Fault, row, short

Run = dict[str, Any]
HERE, BESIDE = "a@shop.example", "b@other.example"
FAULT = Fault("identity", "shop.example", 10.0, 20.0)


def attempt(email_id: str, t: float, sender: str, verdict: str = "accepted") -> Run:
    tags = {"email_id": email_id}
    return {"kind": "attempt", "t": t, "from": sender, "verdict": verdict, "tags": tags}


def honest() -> Run:
    """A mail a second of each sender; what is stopped comes from 23 s on, one was refused."""
    acks, simulator = list[Run](), [attempt("h11", 11.1, HERE, "refused"), {"kind": "control"}]
    for second in range(30):
        for name, sender in (("h", HERE), ("b", BESIDE)):
            acks.append({"emailId": f"{name}{second}", "t": float(second)})
            waits = sender == HERE and 10 <= second < 23
            at = 23.0 + second / 100 if waits else second + 0.1
            simulator.append(attempt(f"{name}{second}", at, sender))
    statuses = {ack["emailId"]: {"status": "delivered"} for ack in acks}
    return {"acks": acks, "simulator": simulator, "statuses": statuses, "named": {"pauses": 1.0}}


def found(change: Callable[[Run], object] = lambda _: None, fault: Fault = FAULT) -> Run:
    run = honest()
    change(run)
    return row(fault, run["acks"], run["simulator"], run["statuses"], named=run["named"])


def faults(change: Callable[[Run], object] = lambda _: None, fault: Fault = FAULT) -> list[str]:
    return short(found(change, fault), fault.stops, within_s=5, asked=4)


def test_an_honest_run_passes() -> None:
    run = found()
    assert faults() == []
    assert (run["failed"], run["lost"], run["twice"], run["mails"]) == (0, 0, 0, 60)
    assert run["resumed_after_s"] == pytest.approx(3.1)
    assert (run["accepted_meanwhile"], run["accepted_beside"], run["refused"]) == (0, 10, 1)
    assert run["on_time_beside"] == 1


def without(run: Run, email_id: str) -> None:
    run["simulator"] = [
        one for one in run["simulator"] if one.get("tags") != {"email_id": email_id}
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: without(run, "h12"), "identity: 1 lost"),
        (lambda run: run["statuses"].update(h12={"status": "failed"}), "identity: 1 failed"),
        (lambda run: run["statuses"].update(h12={"status": "expired"}), "identity: 1 failed"),
        (lambda run: run["statuses"].pop("h12"), "identity: 1 failed"),
        (lambda run: run["simulator"].append(attempt("h12", 24.0, HERE)), "identity: 1 twice"),
        (lambda run: run.update(named={"pauses": 0.0}), "identity: no metric names it"),
        (
            lambda run: run["simulator"].append(attempt("h12", 15.0, HERE)),
            "identity: 1 mails passed it: it was none",
        ),
        (
            lambda run: run["simulator"].extend(
                attempt("h12", 12 + n / 10, HERE, "refused") for n in range(4)
            ),
            "identity: SES was asked in vain 5 times",
        ),
        (
            lambda run: [line.update(t=line["t"] + 3) for line in run["simulator"] if late(line)],
            "identity: went on after 6.1 s; 5 s are allowed",
        ),
        (
            lambda run: [run["simulator"].remove(one) for one in [*filter(late, run["simulator"])]],
            "identity: nothing went on by itself",
        ),
        (
            lambda run: [
                line.update(t=25.0)
                for line in run["simulator"]
                if line.get("from") == BESIDE and 10 <= line["t"] < 20
            ],
            "identity: of other mail only 0% went within 5 s",
        ),
    ],
)
def test_what_is_wrong_is_told(change: Callable[[Run], object], sentence: str) -> None:
    assert sentence in faults(change)


def late(line: Run) -> bool:
    """Of the mail that was stopped, after the fault."""
    return line.get("from") == HERE and line["t"] > 20


def test_where_all_mail_stops_none_has_to_flow_beside() -> None:
    fault = Fault("account", ALL, 29.5, 29.6)
    assert short(found(fault=fault), ALL, within_s=5, asked=4) == [
        "account: nothing went on by itself"
    ]


STORE = Fault("store", NONE, 10.0, 20.0)


def flowing(run: Run, *, slow: str = "", by_s: float = 0.0) -> None:
    """All mail goes 0.1 s after it was offered, but that from `slow`."""
    for line in run["simulator"][2:]:
        late_s = by_s if line["from"] == slow else 0.0
        line["t"] = float(line["tags"]["email_id"][1:]) + 0.1 + late_s


def test_where_none_stops_the_longest_standstill_counts() -> None:
    assert found(flowing, STORE)["resumed_after_s"] == pytest.approx(1.0)
    assert faults(flowing, STORE) == []

    def standstill(run: Run) -> None:
        flowing(run)
        for line in run["simulator"]:
            if line["kind"] == "attempt" and 12 < line["t"] < 19:
                line["t"] = 19.0

    said = short(found(standstill, STORE), NONE, within_s=70, asked=4)
    assert "store: went on after 7.9 s; 5 s are allowed" in said


def test_where_none_stops_four_of_five_mails_must_be_on_time() -> None:
    said = faults(lambda run: flowing(run, slow=HERE, by_s=5), STORE)
    assert said == ["store: of other mail only 50% went within 5 s"]


def test_what_cannot_be_read_counts_as_nothing() -> None:
    assert faults(lambda run: run["simulator"].extend(["half a li", 7, None])) == []
