"""What a proof's file holds, and what it says of the checkout."""

import json
import subprocess
from pathlib import Path

from loadtest import proof


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    argv = ["git", "-C", str(root), *who, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_proof_without_git(tmp_path: Path) -> None:
    path = proof.write("demo", seed=7, runs=[{"emails": 1}], passed=True, root=tmp_path)
    assert path == tmp_path / "build" / "demo.json"
    assert path.read_text().startswith('{\n  "target": "demo",\n  "commit": "unknown",\n')
    assert json.loads(path.read_text()) == {
        "target": "demo",
        "commit": "unknown",
        "seed": 7,
        "runs": [{"emails": 1}],
        "pass": True,
    }


def test_the_commit_says_whether_the_tree_is_clean(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert proof.commit(tmp_path) == "unknown"
    (tmp_path / "file").write_text("a")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "x")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert proof.commit(tmp_path) == head
    (tmp_path / "file").write_text("b")
    assert proof.commit(tmp_path) == f"{head}-dirty"
