"""`make fuzz-api`: schemathesis asks the REST door what its own description allows, and forbids.

Every operation of `GET /openapi.json` gets requests that are right and requests that are wrong.
Each answer must be one that the description has, never a 500; what is wrong must not be taken.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from infra.local.cloud import LOCAL_KEY
from infra.local.stack import Plan, Stack
from loadtest import doors, proof
from loadtest.processes import ROOT, exit_code_of, run

SCHEMATHESIS = ROOT / ".venv" / "bin" / "schemathesis"
SETTINGS = Path(__file__).with_name("schemathesis.toml")
LONGEST_S = 300
PHASES = ("examples", "coverage", "fuzzing")
"""The description's own examples, the edges of every rule of it, random requests."""


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="random ones of an operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="fuzz-api", help="of build/<name>.json and its folder")
    return parser.parse_args(argv)


async def asked(
    url: str,
    folder: Path,
    *,
    examples: int,
    seed: int,
    key: str = LOCAL_KEY,
    phases: tuple[str, ...] = PHASES,
) -> tuple[dict[str, Any], str]:
    """What schemathesis found at `url`, in figures and in its words; `folder` gets the report."""
    report = folder / "schemathesis.json"
    report.unlink(missing_ok=True)
    argv = [
        *(str(SCHEMATHESIS), "--config-file", str(SETTINGS), "run", f"{url}/openapi.json"),
        *("--header", f"X-API-Key: {key}", "--phases", ",".join(phases)),
        *("--max-examples", str(examples), "--seed", str(seed)),
        *("--continue-on-failure", "--no-shrink", "--report-json-path", str(report)),
    ]
    async with asyncio.timeout(LONGEST_S):
        code, said = await run(argv, **await waiting(url, key))
    if not report.exists():
        return {"operations": 0, "requests": 0, "failures": {f"exit {code}": 1}}, said
    return figures(json.loads(await asyncio.to_thread(report.read_text))), said


async def waiting(url: str, key: str) -> dict[str, str]:
    """Mails that wait for a time far away, by the names that `schemathesis.toml` has for them."""
    mail = doors.GOOD | {"sendAt": doors.expand({"$seconds_from_now": 86_400})}
    found = dict[str, str]()
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:
        for name in ("CANCELLED", "MOVED"):
            async with session.post(f"{url}/send-email", json=mail) as answer:
                found[name] = (await answer.json())["emailId"]
    return found


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """The row of the run, from schemathesis' report. Pure."""
    failures = {one["title"]: int(one["count"]) for one in report["failures"]}
    if report["errors"]:
        failures["errors of schemathesis"] = len(report["errors"])
    return {
        "operations": report["operations"]["tested"],
        "untested": report["operations"]["total"] - report["operations"]["tested"],
        "requests": report["test_cases"]["generated"],
        "never_accepted": [
            name
            for name, phases in report["valid_rates"].items()
            if not any(phase["accepted"] for phase in phases.values())
        ],
        "failures": failures,
    }


def faults(row: dict[str, Any]) -> list[str]:
    """What is not as it must be. Pure."""
    found = [f"{name}: {count}" for name, count in row["failures"].items()]
    if not row["operations"] or row.get("untested"):
        found.append(f"only {row['operations']} operations were asked")
    # A door that refuses everything would meet its description, too.
    found += [f"{name}: no request was accepted" for name in row.get("never_accepted", ())]
    return found


async def fuzz(given: argparse.Namespace) -> int:
    """Run, judge, print, write the proof."""
    console = Console()
    async with Stack(Plan(name=given.name, rate=5000, seed=given.seed)) as stack:
        row, said = await asked(
            stack.ingest_url, stack.folder, examples=given.examples, seed=given.seed
        )
        died = stack.died()
    wrong = faults(row) + ([died] if died else [])
    if wrong:
        console.print(said, markup=False)
    for name, value in row.items():
        console.print(f"  {name}: {value}", markup=False)
    for fault in wrong:
        console.print(f"  not as it must be: {fault}", markup=False)
    path = proof.write(given.name, seed=given.seed, runs=[row], passed=not wrong)
    print(f"{'FAILED' if wrong else 'passed'}: {path.relative_to(ROOT)}")
    return 1 if wrong else 0


def main() -> int:
    """The command."""
    return exit_code_of("fuzz-api", fuzz(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
