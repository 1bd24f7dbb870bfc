"""Print the table: `python -m benchmarks [--rounds N] [--no-memory] [--readme] [WORDS]`.

`--readme` also draws docs/benchmarks.png and writes the table into README.md.
"""

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

from . import report
from .measure import every_task, heading, line, one_thread, results

ROOT = Path(__file__).parents[1]

parser = argparse.ArgumentParser(description="Speed and memory beside PyTorch and other engines.")
parser.add_argument("words", nargs="?", default="", help="only tasks whose name has these words")
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--no-memory", action="store_true")
parser.add_argument("--readme", action="store_true", help="draw the plot and write into README.md")
options = parser.parse_args()
if options.readme and (options.words or options.no_memory):
    parser.error("--readme is about all tasks, with memory")

chosen = [task for task in every_task() if options.words in task.name]
found = []
with one_thread():
    measured = results(chosen, options.rounds, not options.no_memory)
    for result in tqdm(measured, total=len(chosen), file=sys.stderr):
        found.append(result)
        print(" | ".join(line(result, chosen)[:4]), file=sys.stderr, flush=True)
table = report.table([heading(chosen), *(line(result, chosen) for result in found)])
load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
measured_how = f"Medians of {options.rounds} rounds on {report.machine()}."
print(f"{table}\n\n{measured_how}\nLoad of the machine at the end: {load}.")
if options.readme:
    report.plot(found, ROOT / "docs" / "benchmarks.png")
    page = ROOT / "README.md"
    page.write_text(report.into(page.read_text("utf-8"), f"{table}\n\n{measured_how}"), "utf-8")
