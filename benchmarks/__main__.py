"""Print the table: `python -m benchmarks [--rounds N] [--no-memory] [WORDS]`."""

import argparse
import os
import sys

from tqdm import tqdm

from .measure import one_thread, rows
from .tasks import tasks

parser = argparse.ArgumentParser(description="Speed and memory beside PyTorch and other engines.")
parser.add_argument("words", nargs="?", default="", help="only tasks whose name has these words")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--no-memory", action="store_true")
options = parser.parse_args()

chosen = [task for task in tasks() if options.words in task.name]
whole = len(chosen) == len(tasks())  # a task is named by its number when its memory is measured
with one_thread():
    table = rows(chosen, options.rounds, whole and not options.no_memory)
    for i, row in enumerate(tqdm(table, total=len(chosen) + 1, file=sys.stderr)):
        tqdm.write(f"| {' | '.join(row)} |", file=sys.stdout)
        if i == 0:
            tqdm.write("|" + "---|" * len(row), file=sys.stdout)
load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
print(f"\nMedians of {options.rounds} rounds; load of the machine at the end {load}.")
