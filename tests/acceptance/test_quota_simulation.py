"""The small form of `make simulate-quota`, and what it must notice."""

import json

from infra.local.stack import ROOT
from loadtest.quota_senders import Case
from loadtest.simulate_quota import main, row
from loadtest.simulated import short


def test_the_quota_is_kept_and_used() -> None:
    name = "simulate-quota-small"
    assert main(["--small", "--name", name]) == 0
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    assert found["pass"] is True
    assert {one["quota"] for one in found["runs"]} == {1, 14, 100}
    assert {one["case"] for one in found["runs"] if one["faults"]} == {"freezes", "kills"}


def test_one_horizon_for_all_lets_urgent_mail_wait() -> None:
    found = row(Case("both", 8, 100, 10, one_horizon=True))
    (fault,) = short(found)
    assert "urgent mail waits" in fault
