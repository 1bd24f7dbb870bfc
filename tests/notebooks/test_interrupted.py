"""A training that is interrupted in a live kernel, and started again."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import nbformat
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TRAINING = {  # a lesson, and what its cell that trains for a while begins with
    "01_training_step": "%%twin\nfirst = loss.item()",
    "11_custom_function": "%%twin\nfor _ in range(300):",
    "15_playground": "from autogradlab.lessons import TrainingCurve",
}


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel(env=os.environ | {"MPLBACKEND": "agg"})
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("lesson", TRAINING)
def test_a_training_that_is_interrupted_starts_again(lesson: str, kernel):
    manager, client = kernel
    put_out: list[dict] = []

    def run(code: str, seconds: float | None = None) -> str:
        """The name of the error that a cell ends with, or ""; interrupt it after `seconds`."""
        put_out.clear()

        def note(message: dict) -> None:
            began = "display_data" if "TrainingCurve" in code else "execute_input"
            if message["msg_type"] == began and seconds is not None:
                Timer(seconds, manager.interrupt_kernel).start()
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                put_out.append(message["content"])

        reply = client.execute_interactive(code, output_hook=note, timeout=120)["content"]
        return reply.get("ename", "")

    cells = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    at = next(i for i, source in enumerate(code) if source.startswith(TRAINING[lesson]))
    for source in code[:at]:
        assert run(source) == "", put_out
    start = time.monotonic()
    assert run(code[at], seconds=0.03) == "KeyboardInterrupt", put_out
    assert time.monotonic() - start < 20
    assert run(code[at]) == "", put_out
    assert "✗" not in str(put_out)
    assert ("✓" in str(put_out)) == code[at].startswith("%%twin")
