"""The gradient of a batch from two processes: each has half of the examples, PyTorch averages.

Run as a program, this file is one of the two processes. They find each other by a file in a folder
of their own and talk over the loopback device, with PyTorch's `gloo`.
"""

from __future__ import annotations

import copy
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 100.0  # for all of it: each imports PyTorch, which takes long on a busy machine
WORLD = 2


@dataclass(frozen=True)
class Halves:
    """What the processes found: for each its own gradients, and those it holds after averaging.
    Both are empty where the processes could not run; `sentence` says why."""

    sentence: str
    own: tuple[tuple[np.ndarray, ...], ...] = ()
    averaged: tuple[tuple[np.ndarray, ...], ...] = ()

    def __repr__(self) -> str:
        return self.sentence


def average_gradients(model: Any, x: Any, y: Any, seconds: float = SECONDS) -> Halves:
    """Run forward and backward of the mean cross-entropy in two processes of PyTorch, each on its
    half of the batch, and let them average their gradients.

    Args:
        model: of autogradlab, made of the package's own classes; a copy of it is sent.
        x, y: the batch and its classes, an even number of examples.
        seconds: after that long the processes are ended.

    Raises:
        ValueError: the batch has an odd number of examples.
    """
    if len(x) % WORLD:
        raise ValueError(f"{len(x)} examples cannot be shared equally by {WORLD} processes")
    if trouble := missing():
        return Halves(trouble)
    with tempfile.TemporaryDirectory() as folder:
        model = copy.deepcopy(model)
        model.zero_grad()  # a gradient cannot be pickled, nor is it wanted there
        work = {"model": model, "x": x.detach().numpy(), "y": y.detach().numpy()}
        Path(folder, "work").write_bytes(pickle.dumps(work))
        processes = [_start(folder, rank) for rank in range(WORLD)]
        try:
            failed = _wait(processes, time.monotonic() + seconds)
        except TimeoutError:
            return Halves(f"The two processes were not done after {seconds:g} s and were ended.")
        finally:
            for process in processes:
                process.kill()  # does nothing to one that has ended
            said = {process: process.communicate()[1] for process in processes}
        if failed:
            lines = said[failed[0]].strip().splitlines() or [""]
            return Halves(f"The two processes could not work together: {lines[-1][:160]}")
        found = [pickle.loads(Path(folder, f"done{rank}").read_bytes()) for rank in range(WORLD)]
    own, averaged = zip(*found, strict=True)
    count = f"{WORLD} processes with {len(x) // WORLD} examples each"
    return Halves(f"{count} have averaged {len(own[0])} gradients.", own, averaged)


def missing() -> str:
    """Why there can be no two processes here; "" if there can."""
    if find_spec("torch") is None:
        return "PyTorch is not installed, so there are no two processes of it to compare with."
    import torch.distributed

    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        return "This PyTorch comes without gloo, so its processes cannot talk to one another."
    return ""


def _wait(processes: list[subprocess.Popen], end: float) -> list[subprocess.Popen]:
    """Wait until all have ended, or one has failed, for which the other would wait in vain; gives
    those that failed."""
    while any(each.poll() is None for each in processes):
        if failed := [each for each in processes if each.poll()]:
            return failed
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
    return [each for each in processes if each.returncode]


def _start(folder: str, rank: int) -> subprocess.Popen:
    """One of the processes, with this very package on its path (and, by -P, not this folder)."""
    package = Path(__file__).parents[2]
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    talk = {"GLOO_SOCKET_IFNAME": loopback[0]} if loopback else {}
    return subprocess.Popen(
        [sys.executable, "-P", __file__, folder, str(rank)],
        env={**os.environ, **talk, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def worker(folder: str, rank: int) -> None:
    """One process: its half of the batch, its gradients, then the mean of both processes'."""
    import torch
    import torch.distributed as dist

    from autogradlab.models import to_torch

    work = pickle.loads(Path(folder, "work").read_bytes())
    model = to_torch(work["model"])
    share = slice(rank * len(work["x"]) // WORLD, (rank + 1) * len(work["x"]) // WORLD)
    x, y = (torch.from_numpy(work[name][share]) for name in "xy")
    dist.init_process_group(
        "gloo",
        init_method=Path(folder, "meeting").as_uri(),
        rank=rank,
        world_size=WORLD,
        timeout=timedelta(seconds=SECONDS),
    )
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    gradients = [p.grad for p in model.parameters()]
    own = tuple(g.numpy().copy() for g in gradients)
    for g in gradients:
        dist.all_reduce(g)  # now g is the sum of both
        g /= WORLD
    averaged = tuple(g.numpy() for g in gradients)
    Path(folder, f"done{rank}").write_bytes(pickle.dumps((own, averaged)))
    dist.destroy_process_group()


if __name__ == "__main__":
    worker(sys.argv[1], int(sys.argv[2]))
