"""What producers install holds the shared package and nothing of the services."""

import subprocess
import sys
import zipfile
from pathlib import Path

from infra.local.stack import ROOT


def test_the_wheel_holds_only_the_shared_package(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
        assert "[pytest11]\nmailpipe = mailpipe.pytest_plugin" in opened.read(entry_points).decode()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"mailpipe"}
    assert "mailpipe/py.typed" in names
    assert "mailpipe/producer.py" in names
