"""A child that its failpoint kills before it is ready has died as it was to."""

import sys
from pathlib import Path

import pytest

from infra.local.children import Child, ChildFailed, environment

DIES = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
ENDS = [sys.executable, "-c", "raise SystemExit(70)"]


async def test_a_failpoint_that_comes_before_ready_is_a_death_like_any_other(
    tmp_path: Path,
) -> None:
    armed = environment(MAILPIPE_FAILPOINT="sender.released")
    child = Child("sender-1", DIES, environment=armed, log=tmp_path / "log")
    await child.start()
    assert child.exit_code == -9
    assert child.ready == {}
    assert child.died() is None


@pytest.mark.parametrize(("argv", "armed"), [(DIES, ""), (ENDS, "sender.released")])
async def test_any_other_end_before_ready_is_a_failure(
    argv: list[str], armed: str, tmp_path: Path
) -> None:
    own = environment(MAILPIPE_FAILPOINT=armed)
    child = Child("sender-1", argv, environment=own, log=tmp_path / "log")
    with pytest.raises(ChildFailed, match="before it was ready"):
        await child.start()
