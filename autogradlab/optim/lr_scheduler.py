"""Schedules of the learning rate: `scheduler.step()` after each epoch sets the next one.

The formulas are recursive, as torch's are: each gives the next learning rate from the present one,
so that what someone else does to it in between is kept.
"""

from __future__ import annotations

import functools
import math
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from .. import errors
from .optimizer import Optimizer


class LRScheduler:
    """The base of all schedules. A schedule of one's own overrides `get_lr`.

    Args:
        last_epoch: −1 to start; to resume, the epoch at which the loaded optimizer stopped.
    """

    _is_initial = False
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(errors.NO_INITIAL_LR.format(i))
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        notice_steps(optimizer)
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)

    def get_last_lr(self) -> list[float]:
        """The present learning rate of each group."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """The next learning rate of each group; called by `step`."""
        self.warn_outside_step()
        groups = self.optimizer.param_groups
        return [self.next_lr(g["lr"], base) for g, base in zip(groups, self.base_lrs, strict=True)]

    def next_lr(self, lr: float, base_lr: float) -> float:
        """The learning rate of epoch `last_epoch`, from the one before it and the first."""
        raise NotImplementedError

    def warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(errors.GET_LR, stacklevel=3)

    def step(self) -> None:
        """Go on to the next epoch: set the learning rate of each group."""
        if self._step_count == 1:
            if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
                warnings.warn(errors.STEP_REPLACED, stacklevel=2)
            elif not getattr(self.optimizer, "_opt_called", False):
                warnings.warn(errors.SCHEDULER_FIRST, stacklevel=2)
        self._step_count += 1
        self._get_lr_called_within_step = True
        self.last_epoch += 1
        rates = self.get_lr()
        self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = rates


def notice_steps(optimizer: Optimizer) -> None:
    """From now on the optimizer knows whether its `step` was called."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    method, known = optimizer.step.__func__, weakref.ref(optimizer)  # no reference cycle

    @functools.wraps(method)
    def step(*args: Any, **kwargs: Any) -> Any:
        known()._opt_called = True
        return method(known(), *args, **kwargs)

    step._wrapped_by_lr_sched = True
    optimizer.step = step


class LambdaLR(LRScheduler):
    """The first learning rate times a function of the epoch, or a list of them, one per group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        several = isinstance(lr_lambda, list | tuple)
        self.lr_lambdas = list(lr_lambda) if several else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self.warn_outside_step()
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * factor(self.last_epoch) for base_lr, factor in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of the functions, those that are objects with a state."""
        state = super().state_dict()
        del state["lr_lambdas"]
        state["lr_lambdas"] = [
            None if isinstance(factor, FunctionType) else vars(factor).copy()
            for factor in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for factor, state in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if state is not None:
                vars(factor).update(state)
        super().load_state_dict(state_dict | {"lr_lambdas": self.lr_lambdas})


class StepLR(LRScheduler):
    """Times gamma every `step_size` epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base_lr: float) -> float:
        stays = self.last_epoch == 0 or self.last_epoch % self.step_size != 0
        return lr if stays else lr * self.gamma


class MultiStepLR(LRScheduler):
    """Times gamma at each of the milestones."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base_lr: float) -> float:
        return lr * self.gamma ** self.milestones[self.last_epoch]


class ExponentialLR(LRScheduler):
    """Times gamma every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base_lr: float) -> float:
        return lr if self._is_initial else lr * self.gamma


class LinearLR(LRScheduler):
    """The factor of the first learning rate goes in a straight line, and then stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                "to 1."
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError(
                "Ending multiplicative factor expected to be between 0 and 1."
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base_lr: float) -> float:
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return lr
        rise = self.end_factor - self.start_factor
        return lr * (
            1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        )


class CosineAnnealingLR(LRScheduler):
    """From the first learning rate down to eta_min in T_max epochs, along half a cosine.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), without
    the restarts: after T_max epochs it climbs the same way.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def next_lr(self, lr: float, base_lr: float) -> float:
        if self._is_initial:
            return lr
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the quotient is 0/0
            return lr + (base_lr - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        return height / before * (lr - self.eta_min) + self.eta_min
