"""The proof of mail for later, in small, and that it finds a bug."""

import json
import sys

from infra.local.stack import ROOT
from loadtest.processes import run


async def test_what_owners_were_told_about_mail_for_later_is_what_happens() -> None:
    """1. In virtual time and live, mail is due while its owners cancel and move it. 2. What is
    parked is written minutes late. 3. Senders die, among them the one that releases what is due.

    Expected: what was cancelled in time is never sent, what expires is sent before or ends so, all
    else goes once and not before its time.
    """
    name = "test-prove-schedule"
    argv = ["-m", "loadtest.prove_schedule", "--small", "--name", name]
    code, said = await run([sys.executable, *argv])
    assert code == 0, said
    rows = json.loads((ROOT / "build" / f"{name}.json").read_text())["runs"]
    assert len(rows) == 4
    assert all(row["due"] == row["released"] for row in rows)
    assert sum(row["doubled"] + row["cancelled_sent"] for row in rows) == 0
    assert sum(row["expired"] for row in rows) > 0


async def test_claims_that_look_at_no_condition_are_found() -> None:
    """1. Every claim is taken, whatever the record says.

    Expected: the proof fails, and says that cancelled mail was sent.
    """
    argv = ["-m", "loadtest.prove_schedule", "--small", "--name", "test-prove-schedule-planted"]
    code, said = await run([sys.executable, *argv, "--plant", "blind-claims", "--only", "500"])
    assert code == 1, said
    assert "cancelled_sent" in said.split("not as it must be", 1)[1]


async def test_mail_that_is_put_where_nobody_looks_any_more_is_found() -> None:
    """1. Mail is written into a minute that has been passed, and not moved to one that comes.

    Expected: the proof fails, and says that mail was lost.
    """
    argv = ["-m", "loadtest.prove_schedule", "--small", "--name", "test-prove-schedule-passed"]
    code, said = await run([sys.executable, *argv, "--plant", "passed-minutes", "--only", "late"])
    assert code == 1, said
    assert "lost" in said.split("not as it must be", 1)[1]
