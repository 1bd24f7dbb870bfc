"""PyTorch's wording drifts from release to release: no learner is shown a ✗ for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LESSONS = sorted(ROOT.glob("notebooks/[0-9]*.py"))


def run(*arguments: str | Path) -> dict[str, list[list[str]]]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    command = [sys.executable, HERE / "worker.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_twin_cell_shows_a_difference():
    other = "AUTOGRADLAB_OTHER_TORCH" in os.environ  # set by `make torch`: it is another release
    said = run(*([] if other else ["--drift"]), *LESSONS)
    assert list(said) == [path.stem for path in LESSONS]
    cells = [(stem, *cell) for stem, cells in said.items() for cell in cells]
    assert [cell for cell in cells if cell[3]] == []  # errors
    assert [cell for cell in cells if "✗" in cell[2]] == []
    worded = [cell for cell in cells if "wording differs in this PyTorch" in cell[2]]
    assert [cell for cell in cells if "✓" not in cell[2] and cell not in worded] == []
    assert other or len(worded) > 30
