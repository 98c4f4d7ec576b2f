"""Writes what a proof found to `build/<target>.json`, with the commit that it was found at."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def write(
    target: str, *, seed: int, runs: list[dict[str, Any]], passed: bool, root: Path = ROOT
) -> Path:
    """Write the proof and say where it is."""
    found = {
        "target": target,
        "commit": commit(root),
        "seed": seed,
        "runs": runs,
        "pass": passed,
    }
    path = root / "build" / f"{target}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path


def commit(root: Path) -> str:
    """The checkout's commit, `-dirty` when files differ from it; `unknown` without git."""
    try:
        head = _git(root, "rev-parse", "--verify", "HEAD")
        return head + ("-dirty" if _git(root, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    argv = ["git", "-C", str(root), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
