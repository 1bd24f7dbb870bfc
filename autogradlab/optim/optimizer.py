"""The base of all optimizers: parameter groups, state, `state_dict`, `zero_grad` and the loop of
`step`. What one step does to one parameter is `update`, in the module of each algorithm.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from .. import dtypes, errors
from ..autograd import enable_grad
from ..modes import reset, silence
from ..tensor import Tensor, wrap

Group = dict[str, Any]


class Optimizer:
    """Holds parameters, each in a group with its options, and changes them by their gradients.

    Args:
        params: tensors, or dicts with "params" and the options that differ in that group.
        defaults: the options of groups that do not say otherwise.

    Raises:
        TypeError, ValueError: `params` is a tensor, is empty, or holds what is no leaf.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], defaults: Group) -> None:
        if isinstance(params, Tensor):
            raise TypeError(errors.PARAMS_NOT_ITERABLE + type_name(params))
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy shares: not the wrapper a scheduler puts round `step`, which knows us."""
        return {name: getattr(self, name) for name in ("defaults", "state", "param_groups")}

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            text += f"\nParameter Group {i}\n{''.join(options)}"
        return text + ")"

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(errors.PARAMS_IN_A_SET)
        params = param_group["params"] = [params] if isinstance(params, Tensor) else list(params)
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(errors.NO_PARAMETER + type_name(param))
            if not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if isinstance(param_group.setdefault(name, default), Tensor):
                raise TypeError(f"autogradlab: {name} must be a number, not a Tensor")
        if len(params) != len(set(params)):
            warnings.warn(errors.DUPLICATE_PARAMETERS, stacklevel=3)
        if not set(params).isdisjoint(chain(*(group["params"] for group in self.param_groups))):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or overwrite them with zeros."""
        for param in chain(*(group["params"] for group in self.param_groups)):
            if set_to_none:
                param.grad = None
            elif (grad := param.grad) is not None:
                grad.node, grad._requires_grad = None, False
                grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, once.

        Args:
            closure: clears the gradients, computes the loss, calls backward and returns the loss,
                which `step` returns too.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        token = silence()
        try:
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        self.update(param, param.grad.array, group)
        finally:
            reset(token)
        return loss

    def update(self, param: Tensor, grad: np.ndarray, group: Group) -> None:
        """One step of one parameter; each algorithm's own."""
        raise NotImplementedError

    # ----------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """The state of every parameter and the options of every group, the parameters numbered."""
        params = chain(*(group["params"] for group in self.param_groups))
        number = {param: i for i, param in enumerate(params)}
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            | {"params": [number[param] for param in group["params"]]}
            for group in self.param_groups
        ]
        state = {number[param]: value for param, value in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, of an optimizer of as many parameters."""
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for old, new in zip(self.param_groups, saved, strict=True):
            if len(old["params"]) != len(new["params"]):
                raise ValueError(errors.GROUP_SIZE)
        params: dict[int, Tensor] = {}
        for old, new in zip(self.param_groups, saved, strict=True):
            params.update(zip(new["params"], old["params"], strict=True))
            new["params"] = old["params"]
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for i, values in state_dict["state"].items():
            state[params[i]] = {
                name: value.to(params[i].dtype)
                if isinstance(value, Tensor) and name != "step"
                else value
                for name, value in values.items()
            }
        self.state, self.param_groups = state, saved


def type_name(x: object) -> str:
    """The type of an object, as torch's errors name it."""
    if isinstance(x, Tensor):
        return dtypes.type_name(x.array.dtype)
    kind = type(x)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__


def refuse(wrong: bool, name: str, value: Any) -> None:
    if wrong:
        raise ValueError(f"Invalid {name}: {value}")


# ------------------------------------------------------------------------- for the algorithms


def zero_state(param: Tensor, *names: str) -> dict[str, Tensor]:
    """The state before the first step: a count of steps, and zeros in the parameter's shape."""
    step = wrap(np.result_type(dtypes.default, np.float32).type(0))
    return {"step": step} | {name: wrap(np.zeros_like(param.memory())) for name in names}


def pieces(*arrays: np.ndarray, elements: int = 1 << 15) -> Iterator[tuple[np.ndarray, ...]]:
    """Arrays of one shape, cut alike along the first axis, into views of about so many elements.

    What a step computes on its way then stays in the processor's cache, however large the
    parameter: a third faster than whole arrays for a million numbers.
    """
    size, shape = arrays[0].size, arrays[0].shape
    if size <= elements:
        yield arrays
        return
    rows = max(1, elements * shape[0] // size)
    for i in range(0, shape[0], rows):
        yield tuple([array[i : i + rows] for array in arrays])


def move(average: np.ndarray, to: np.ndarray, weight: float) -> None:
    """A step of an exponential moving average, in place, from the nearer end as torch's `lerp_`."""
    if weight < 0.5:
        average += weight * (to - average)
    else:
        average[...] = to - (1 - weight) * (to - average)


def written(*tensors: Tensor) -> None:
    """Count versions up, once for each mention: as often as torch's operations write."""
    for tensor in tensors:
        tensor.version_cell()[0] += 1
