"""The proof of drains, in small: SIGTERM to each service under load, judged from outside."""

import json
import sys

import pytest

from infra.local.stack import ROOT, SERVICES
from loadtest.processes import run


@pytest.mark.parametrize("service", SERVICES)
async def test_sigterm_under_load_ends_clean_and_hands_back_what_was_not_begun(
    service: str,
) -> None:
    """1. Mails go at 20/s through both doors. 2. SIGTERM the service, and start it again.

    Expected: it had work in hand and ends with 0; no mail is lost or doubled; no message stays in
    flight; what was not begun is visible again within 3 s (`make prove-drain`:
    1 s).
    """
    name = f"test-prove-drain-{service}"
    argv = ["-m", "loadtest.prove_drain", "--services", service, "--sigterms", "1"]
    code, said = await run([sys.executable, *argv, "--rate", "20", "--slack", "3", "--name", name])
    assert code == 0, said
    found = json.loads((ROOT / "build" / f"{name}.json").read_text())
    (row,) = found["runs"]
    assert found["pass"] is True
    assert (row["service"], row["exit"], row["lost"], row["duplicates"]) == (service, 0, 0, 0)
    assert row["in_hand_at_sigterm"] > 0
