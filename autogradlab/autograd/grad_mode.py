"""Switches for recording: `no_grad`, `enable_grad`, `set_grad_enabled`, per thread.

Each works as a context manager and as a decorator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..modes import modes


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

    def again(self) -> _Mode:
        """A mode for one call of a decorated function."""
        return type(self)()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.again():
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


class inference_mode(_Mode):
    """Record nothing inside, and make tensors that can never take part in recording.

    >>> from autogradlab import ones
    >>> with inference_mode():
    ...     x = ones(2)
    >>> x.is_inference()
    True
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        self.mode = mode is not False
        return self(mode) if callable(mode) else self  # @inference_mode and @inference_mode()

    def again(self) -> _Mode:
        return inference_mode(self.mode)

    def __enter__(self) -> None:
        self.before = modes.inference, modes.grad_enabled
        modes.inference, modes.grad_enabled = self.mode, not self.mode
        modes.special += 1

    def __exit__(self, *exception: object) -> None:
        modes.inference, modes.grad_enabled = self.before
        modes.special -= 1


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on in this thread."""
    return modes.inference


class set_grad_enabled(_Mode):
    """Switch recording to `mode`, at once, or for a `with` block."""

    def __init__(self, mode: bool) -> None:
        self.enabled, self.before, modes.grad_enabled = mode, modes.grad_enabled, mode

    def again(self) -> _Mode:
        return set_grad_enabled(self.enabled)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        modes.grad_enabled = self.before  # as a decorator it acts in the function only
        return super().__call__(function)

    def __enter__(self) -> None:
        modes.grad_enabled = self.enabled
