"""Write docs/differences.md from the programs of tests/engine/differences.py."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "engine"))

from differences import page  # noqa: E402

(ROOT / "docs" / "differences.md").write_text("\n".join(page()), encoding="utf-8")
