"""Every difference that docs/differences.md tells of is there, and told as it is."""

from pathlib import Path

import pytest
from differences import DIFFERENCES, outcomes, page

PROGRAMS = [program for group in DIFFERENCES.values() for _, program in group]
PAGE = Path(__file__).parents[2] / "docs" / "differences.md"


@pytest.mark.parametrize("program", PROGRAMS)
def test_they_differ(program: str) -> None:
    ours, theirs = outcomes(program)
    assert ours != theirs


def test_the_page_says_what_happens() -> None:
    assert PAGE.read_text("utf-8") == "\n".join(page())
