"""What was measured, as a table, as a plot, and with the machine named in the README."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullLocator

from .measure import Result
from .networks import HAND

BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
COLOURS = {"autogradlab": "#1b6ca8", HAND: "#8f8f8f", "HIPS autograd": "#d98c1f",
           "MyGrad": "#7a5195", "micrograd": "#3f8f5b"}  # fmt: skip


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, the first being the heading."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def machine() -> str:
    """The processor and the versions, in words."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    libraries = ", ".join(f"{name} {version(name.lower())}" for name in ("NumPy", "torch"))
    python = platform.python_version()
    return f"{cpu}, {os.cpu_count()} cores, one thread used; Python {python}, {libraries}"


def plot(results: Sequence[Result], path: Path) -> None:
    """Bars of each engine's time beside torch's, on a logarithmic axis; a line marks the aim."""
    plt.rcParams.update({"svg.hashsalt": "autogradlab", "font.size": 9})
    bars = [
        (i, name, result.ratio(of=name))
        for i, result in enumerate(results)
        for name in COLOURS
        if result.ratio(of=name) is not None
    ]
    ticks, aims, y = [], [], 0.0
    figure, axes = plt.subplots(figsize=(8, 0.4 + 0.17 * len(bars) + 0.12 * len(results)))
    for i, result in enumerate(results):
        top = y
        for _, name, ratio in (bar for bar in bars if bar[0] == i):
            axes.barh(y, ratio - 0.001, left=0.001, height=0.85, color=COLOURS[name])
            axes.text(ratio * 1.04, y, f"{ratio:#.2g}", va="center", fontsize=7, zorder=4,
                      bbox={"color": "white", "pad": 0.4})  # fmt: skip
            y += 1
        ticks.append(((top + y - 1) / 2, result.task.name))
        aims.append((result.task.aim, top - 0.55, y - 0.45))
        y += 0.7
    for aim, low, high in aims:
        axes.plot([aim, aim], [low, high], color="black", lw=1.6)
    axes.axvline(1, color="black", lw=0.7, ls=":")
    axes.set(xscale="log", xlim=(0.03, None), ylim=(y - 0.5, -0.8))
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("time, as a multiple of torch's (dotted: 1); black line: the aim")
    axes.spines[["top", "right"]].set_visible(False)
    found = {name for _, name, _ in bars}
    handles = [plt.Rectangle((0, 0), 1, 1, color=c) for n, c in COLOURS.items() if n in found]
    axes.legend(
        handles, [n for n in COLOURS if n in found], ncols=4, frameon=False,
        loc="lower left", bbox_to_anchor=(0, 1),
    )  # fmt: skip
    figure.savefig(path, bbox_inches="tight", dpi=150, metadata={"Software": None})
    plt.close(figure)


def into(page: str, text: str) -> str:
    """The page with the text between its two markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, first, rest = page.partition(BEGIN)
    _, last, after = rest.partition(END)
    if not (first and last):
        raise ValueError(f"no {BEGIN} … {END} on the page")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
