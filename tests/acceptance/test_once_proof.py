"""The proof of deaths at exact instants, in small: its cases, judged from outside."""

import asyncio
import json
import sys
from typing import Any

from infra.local.stack import ROOT
from loadtest.processes import run

SPOILT = 3
"""One mail of so many has no events (c) or loses its answer (d)."""


async def proved(seeds: dict[str, int]) -> list[dict[str, Any]]:
    """The rows of a run of each case, side by side, at a twentieth of the usual durations: 45 mails
    at 30/s through both doors to eight processes, each armed with a failpoint of the seed; for
    1.5 s those that die are started again, and every second one dies at least.
    """
    started = [started_case(case, seed=seed) for case, seed in seeds.items()]
    ended = await asyncio.gather(*started)
    rows = list[dict[str, Any]]()
    for case, (code, said) in zip(seeds, ended, strict=True):
        assert code == 0, said
        found = json.loads((ROOT / "build" / f"{name_of(case)}.json").read_text())
        (row,) = found["runs"]
        assert found["pass"] is True
        assert (row["case"], row["lost"], row["unknown"]) == (case, 0, 0)
        assert row["kills"] == sum(row["kills_at"].values()) >= 2
        assert (row["faults"], row["left_in_queues"]) == ({}, {})
        rows.append(row)
    return rows


async def started_case(case: str, *, seed: int) -> tuple[int, str]:
    argv = ["-m", "loadtest.prove_once", "--cases", case, "--mails", "45", "--rate", "30"]
    more = ["--scale", "0.05", "--seed", str(seed), "--specials", str(SPOILT)]
    return await run([sys.executable, *argv, *more, "--name", name_of(case)])


def name_of(case: str) -> str:
    return f"test-prove-once-{case}"


async def test_deaths_at_exact_instants_lose_and_double_nothing() -> None:
    """Two runs side by side, since they mostly wait. The seed begins with two senders that die
    soon, one with a claim, one with SES's yes in hand. b: the processors come later, and more die
    while they catch up.

    Expected: nothing is lost, nothing is sent twice, every mail has its end and its webhooks.
    """
    a, b = await proved({"a": 1266, "b": 1266})
    assert (a["duplicates"], b["duplicates"]) == (0, 0)
    assert (b["webhooks_before_processors"], b["kills_while_catching_up"] > 0) == (0, True)


async def test_what_goes_twice_was_in_flight_and_says_so_and_nothing_else_does() -> None:
    """c: no event ever tells of a third of the mails; senders die with SES's yes to some of them in
    hand. d: SES takes a third and cuts the connection, their events come late. e: the first sender
    stands still with a claim in hand until another has sent its mail, then goes on.

    Expected: nothing is sent twice but what was in flight in c, and that is flagged; in e some mail
    was taken over.
    """
    c, d, e = await proved({"c": 1007, "d": 1266, "e": 2316})
    assert c["duplicates"] <= c["in_flight_at_kills"] > 0
    assert (d["duplicates"], d["answers_cut"] >= 45 // SPOILT) == (0, True)
    assert (e["duplicates"], sum(e["taken_over"].values()) > 0) == (0, True)
