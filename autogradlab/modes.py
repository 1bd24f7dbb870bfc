"""The switches of the running thread: what is recorded, and who looks on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class _Modes(threading.local):
    """Read wherever an operation is recorded or run backward; set by context managers only."""

    grad_enabled = True
    inference = False
    anomaly: Callable[..., Any] | None = None  # runs a node, in anomaly mode
    special = 0  # how many of the switches below are on that the short way does not know
    lifted = 0  # how many transforms (forward mode, vmap) are open, see arrays/
    vmaps: tuple[tuple[int, int, str], ...] = ()  # open vmaps: level, examples, randomness
    dual_level: int | None = None  # the open level of autograd.forward_ad
    made: Any = None  # the tensors made under it, to be told when it closes
    observers: tuple[Callable[[Any, Any, Sequence[Any]], None], ...] = ()
    recorders: tuple[Callable[[Any], None], ...] = ()  # called with every node that is recorded
    saved_hooks: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...] = ()
    passes: tuple[Any, ...] = ()  # the backward passes that are running, the innermost last
    executing: Any = None  # the node that runs, in anomaly mode


modes = _Modes()

# inf and nan are answers here, as in torch: NumPy is not to warn of them. `np.errstate` costs a
# microsecond for each operation, so the setting it makes is kept, and put in place by hand:
# `token = silence()`, the operation, `reset(token)`.
_setting = np._core.umath._extobj_contextvar
with np.errstate(all="ignore"):
    silence = functools.partial(_setting.set, _setting.get())
reset = _setting.reset
