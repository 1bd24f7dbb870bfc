"""`make fuzz`: many more random programs than the tests run, from a new seed each time.

`python tests/fuzz --programs 20000 --seed 7` writes the seed and, when they are found, the
smallest cells on which the two engines differ; it is an error that there are any.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # this engine, wherever another is installed

import hypothesis
from cells import programs, wrong
from hypothesis import HealthCheck, Phase, given, settings
from tqdm import tqdm

ROUND = 500  # Hypothesis stops soon after the first failure, so it is asked again and again


def a_round(count: int, seed: int, bar: tqdm) -> str:
    """Try that many programs; the smallest cell that differs, and how, or ""."""
    found = ""

    @hypothesis.seed(seed)
    @settings(
        max_examples=count, deadline=None, database=None, derandomize=False,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(programs)
    def check(program: str) -> None:
        nonlocal found
        difference = wrong(program)
        bar.update(not found)
        if difference:
            found = f"{program}\n\n{difference}"  # the last one shown is the smallest
            raise AssertionError(kind(difference))

    try:
        check()
    except Exception as error:  # of several kinds at once Hypothesis makes a group
        return found or f"the round of seed {seed}\n\n{type(error).__name__}: {error}"
    return ""


def kind(difference: str) -> str:
    """What differs, without names and numbers: cells that show the same are counted once."""
    return re.sub(r"\b\w\b|\d+|· same.*", "", "\n".join(difference.splitlines()[:3]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"{options.programs} programs, seed {options.seed}", flush=True)
    cells: dict[str, str] = {}
    with tqdm(total=options.programs, unit="programs") as bar:
        seed = options.seed
        while bar.n < options.programs:
            cell = a_round(min(ROUND, options.programs - bar.n), seed, bar)
            what = kind(cell.partition("\n\n")[2])
            if cell and what not in cells:
                cells[what] = cell
                tqdm.write(f"\n{cell}", file=sys.stdout)
                sys.stdout.flush()
            seed += 1
    print(f"\n{bar.n} programs, {len(cells)} kinds of difference")
    return bool(cells)


if __name__ == "__main__":
    sys.exit(main())
