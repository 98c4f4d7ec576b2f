"""Failpoints: what may be said, when they happen, that every instant is there and told of."""

import ast
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailpipe import failpoints
from mailpipe.failpoints import EXIT_FAILPOINT, NAMES, Failpoint, parse

ROOT = Path(__file__).parents[2]
SERVICES = ("mailpipe", "ingest", "sender", "processor", "notifier")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ingest.queued", Failpoint("ingest.queued", 1, "kill")),
        ("ingest.queued@7", Failpoint("ingest.queued", 7, "kill")),
        ("ingest.queued=exit", Failpoint("ingest.queued", 1, "exit")),
        ("notifier.answered@2=stop:1500", Failpoint("notifier.answered", 2, "stop", 1500)),
    ],
)
def test_what_is_asked_for_is_understood(text: str, expected: Failpoint) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ingest.queud", "there is no instant 'ingest.queud'; there are ingest.body_stored, "),
        ("ingest.queued@0", "nth counts from 1"),
        ("ingest.queued@", "expected name"),
        ("ingest.queued=die", "expected name"),
        ("ingest.queued=stop", "expected name"),
        ("ingest.queued@1=kill\n", "expected name"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text)


def test_without_one_an_instant_is_a_call_that_does_nothing() -> None:
    assert failpoints.hit is failpoints._nothing
    assert failpoints.armed is None


def calls() -> list[str]:
    """The name at every call of `failpoints.hit` in the services."""
    found = []
    for folder in SERVICES:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoints.hit":
                    (name,) = node.args
                    assert isinstance(name, ast.Constant), f"{path}: the name is not a text"
                    found.append(str(name.value))
    return found


def test_every_instant_is_in_the_code_and_every_hit_in_the_list() -> None:
    assert set(calls()) == set(NAMES)


def test_the_page_lists_every_instant() -> None:
    page = (ROOT / "docs" / "behaviour.md").read_text()
    table = "\n".join(f"| `{name}` | {instant} |" for name, instant in NAMES.items())
    assert f"|---|---|\n{table}\n\n" in page


PROGRAM = """
from mailpipe import failpoints, lifecycle
from mailpipe.settings import Common
import sys

async def main(settings, stop):
    lifecycle.ready(port=1)
    for _ in range(3):
        failpoints.hit("ingest.queued")
        print("passed", flush=True)

lifecycle.run("ingest", Common, main)
"""


def process(failpoint: str) -> subprocess.CompletedProcess[str]:
    """A process that comes to an instant three times."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"MAILPIPE_ADDRESS_HASH_KEY": "k" * 32, "MAILPIPE_FAILPOINT": failpoint},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("failpoint", "code", "passed"),
    [
        ("ingest.queued@3", -signal.SIGKILL, 2),
        ("ingest.queued=exit", EXIT_FAILPOINT, 0),
        ("ingest.recorded", 0, 3),
    ],
)
def test_a_process_ends_at_the_instant_and_has_said_so(
    failpoint: str, code: int, passed: int
) -> None:
    ended = process(failpoint)
    assert (ended.returncode, ended.stdout.count("passed")) == (code, passed)
    armed, ready, *_ = ended.stdout.splitlines()
    assert '"failpoint_armed"' in armed
    assert '"failpoint":' in ready
    assert ended.stdout.count('"failpoint_hit"') == (code != 0)


def test_a_process_that_stands_still_goes_on_by_itself() -> None:
    begun_s = time.monotonic()
    ended = process("ingest.queued@2=stop:700")
    assert (ended.returncode, ended.stdout.count("passed")) == (0, 3)
    assert time.monotonic() - begun_s > 0.7


def test_a_process_with_a_failpoint_that_is_none_does_not_start() -> None:
    ended = process("ingest.nowhere")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "MAILPIPE_FAILPOINT='ingest.nowhere': there is no instant" in ended.stderr
    assert "notifier.answered" in ended.stderr
