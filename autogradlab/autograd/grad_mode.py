"""Switches for recording: `no_grad`, `enable_grad`, `set_grad_enabled`, per thread.

Each works as a context manager and as a decorator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..node import modes


def is_grad_enabled() -> bool:
    """Whether operations are being recorded in this thread."""
    return modes.grad_enabled


class _Mode:
    """Sets the switch on entry and puts it back on exit."""

    enabled: bool

    def __enter__(self) -> None:
        self.before, modes.grad_enabled = modes.grad_enabled, self.enabled

    def __exit__(self, *exception: object) -> None:
        modes.grad_enabled = self.before

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with (
                type(self)()
                if not isinstance(self, set_grad_enabled)
                else set_grad_enabled(self.enabled)
            ):
                return function(*args, **kwargs)

        return wrapper


class no_grad(_Mode):
    """Record nothing inside.

    >>> from autogradlab import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    enabled = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        mode = super().__new__(cls)
        return mode if function is None else mode(function)  # @no_grad and @no_grad()


class enable_grad(no_grad):
    """Record inside, also within `no_grad`."""

    enabled = True


class set_grad_enabled(_Mode):
    """Switch recording to `mode`, at once, or for a `with` block."""

    def __init__(self, mode: bool) -> None:
        self.enabled, self.before, modes.grad_enabled = mode, modes.grad_enabled, mode

    def __enter__(self) -> None:
        modes.grad_enabled = self.enabled
