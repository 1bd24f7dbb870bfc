"""`gradcheck`: does the derivative of a function agree with finite differences?

The numerical Jacobian comes from running the function a little to either side of a point, the
analytical one from backward, or from forward mode. `gradgradcheck` checks the gradient in the same
way, as a function of the inputs and of the incoming gradients. Jacobians have a row for each
element of the input and a column for each element of the output, as torch prints them.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import autograd, dtypes, errors, random
from ..creation import zeros_like
from ..ops.shapes import stack
from ..sampling import randn_like
from ..tensor import Tensor, wrap
from . import forward_ad
from .function import Function

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """What `gradcheck` raises when a derivative is wrong."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the derivatives of `func` at `inputs` (float64, with `requires_grad`) are right.

    Args:
        eps: how far to step to either side.
        atol, rtol: two derivatives may differ by atol + rtol·|numerical one|.
        raise_exception: say what is wrong in a GradcheckError, instead of returning False.
        nondet_tol: how much two runs of backward may differ.
        check_undefined_grad: backward must give zeros where no gradient arrives.
        check_grad_dtypes: nothing to check here: a gradient always has the dtype of its input.
        check_batched_grad, check_batched_forward_grad: derivatives under `vmap` must be the same.
        check_forward_ad, check_backward_ad: which of the two modes to check.
        fast_mode: compare v·J·u for random vectors u and v instead of the whole Jacobian J.
        masked: a zero gradient need only be zero up to rounding.

    >>> from autogradlab import float64, tensor
    >>> gradcheck(lambda x: x.exp() / x, tensor([0.5, 2.0], dtype=float64, requires_grad=True))
    True
    """
    at_least_one(check_forward_ad=check_forward_ad, check_backward_ad=check_backward_ad)
    implies(check_batched_grad=check_batched_grad, check_backward_ad=check_backward_ad)
    implies(
        check_batched_forward_grad=check_batched_forward_grad, check_forward_ad=check_forward_ad
    )
    inputs = as_tuple(inputs)
    check_inputs(inputs)
    check = Check(func, inputs, eps, atol, rtol, nondet_tol)
    try:
        for forward in [False] * check_backward_ad + [True] * check_forward_ad:
            (check.fast if fast_mode else check.slow)(forward)
        if check_forward_ad and check_undefined_grad:
            check.undefined_tangents()
        if check_batched_forward_grad:
            check.batched_tangents()
        if check_batched_grad:
            check.batched_gradients()
        if check_backward_ad:
            check.zeros_from_zeros(masked)
        if check_backward_ad and check_undefined_grad:
            check.undefined_gradients()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    gen_non_contig_grad_outputs: bool = False,
    check_undefined_grad: bool = True,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    **options: Any,
) -> bool:
    """Whether the second derivatives of `func` at `inputs` are right.

    Args:
        grad_outputs: the incoming gradients at which to check; random ones by default.
        gen_non_contig_grad_outputs: make the random ones lie in memory with gaps.
        check_fwd_over_rev, check_rev_over_rev: differentiate the gradient by which mode.
        options: the others of `gradcheck`.

    >>> from autogradlab import float64, tensor
    >>> gradgradcheck(lambda x: x.exp() / x, tensor([0.5, 2.0], dtype=float64, requires_grad=True))
    True
    """
    at_least_one(check_fwd_over_rev=check_fwd_over_rev, check_rev_over_rev=check_rev_over_rev)
    implies(check_undefined_grad=check_undefined_grad, check_rev_over_rev=check_rev_over_rev)
    implies(check_batched_grad=check_batched_grad, check_rev_over_rev=check_rev_over_rev)
    inputs = as_tuple(inputs)
    if grad_outputs is None:
        outputs = differentiable(func(*inputs)).values()
        grad_outputs = [random_gradient(o, gen_non_contig_grad_outputs) for o in outputs]
    grad_outputs = as_tuple(grad_outputs)
    count = len(grad_outputs)
    wanting = wanted_at((*inputs, *grad_outputs))

    def gradient(*args: Any) -> tuple[Tensor, ...]:
        """The gradients of `func`; a check of forward mode hands in tensors without the flag."""
        args = [x.requires_grad_() if i in wanting else x for i, x in enumerate(args)]
        outputs = list(differentiable(func(*args[:-count])).values())
        wanted = [x for i, x in enumerate(args[:-count]) if i in wanting]
        found = autograd.grad(outputs, wanted, args[-count:], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradient,
        inputs + grad_outputs,
        check_undefined_grad=check_undefined_grad,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        **options,
    )


@dataclass
class Check:
    """A function at one point, what it gave there, and how close derivatives must be."""

    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    eps: float
    atol: float
    rtol: float
    nondet_tol: float

    def __post_init__(self) -> None:
        self.at = wanted_at(self.inputs)
        self.wanted = [self.inputs[i] for i in self.at]
        self.values = as_tuple(self.func(*self.inputs))
        self.outputs = differentiable(self.values)

    # ------------------------------------------------------------- three ways to a derivative

    def difference(self, x: Tensor, u: Tensor, on: str = "") -> list[Tensor]:
        """For each output how fast it changes when the input `x` moves along `u`, flat."""
        array, sides = x.memory(), []
        before = array.copy()
        for step in (-self.eps, self.eps):
            array[...] = before + step * u.array  # not seen by autograd: the version stays
            sides.append([o.detach().clone() for o in as_tuple(self.func(*self.inputs))])
        array[...] = before
        for a, b in zip(*sides, strict=True):
            for what in ("shape", "dtype"):
                if getattr(a, what) != getattr(b, what):
                    values = getattr(a, what), getattr(b, what)
                    raise AssertionError(errors.perturbed(what, on, self.eps, *values))
        return [((b - a) / (2 * self.eps)).reshape(-1) for a, b in zip(*sides, strict=True)]

    def numerical(self, x: Tensor) -> list[Tensor]:
        """For each output its Jacobian by the input `x`."""
        places = zip(np.ndindex(x.shape), basis(x), strict=True)
        rows = [self.difference(x, u, f"on index {place} ") for place, u in places]
        return [matrix(column, o, x.numel()) for o, *column in zip(self.values, *rows, strict=True)]

    def pulled(self, output: Tensor, directions: list[Tensor], tolerance: float) -> list[Tensor]:
        """For each input the Jacobian of `output`, a column per direction; backward runs twice,
        and may not differ by more than the tolerance."""

        def run() -> list[Tensor]:
            rows = [self.gradients(output, v) for v in directions]
            columns = zip(self.wanted, *rows, strict=True)
            return [matrix(column, x, len(rows)).T for x, *column in columns]

        first, second = run(), run()
        for a, b in zip(first, second, strict=True):
            if a.numel() and (a - b).abs().max().item() > tolerance:
                raise GradcheckError(errors.not_reentrant(tolerance))
        return first

    def gradients(self, output: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        """v·J for each input, by backward."""
        return autograd.grad(output, self.wanted, v, retain_graph=True, materialize_grads=True)

    def pushed(self, i: int, directions: list[Tensor]) -> list[Tensor]:
        """For each output its Jacobian by input `i`, a row per direction."""
        rest = {j: zeros_like(self.inputs[j]) for j in self.at}
        rows = [self.tangents({**rest, i: u}) for u in directions]
        return [matrix(column, o, len(rows)) for o, *column in zip(self.values, *rows, strict=True)]

    def tangents(self, moved: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """J·u for each output, by forward mode, when these inputs move along these tangents."""
        with forward_ad.dual_level():
            inputs = [x.detach() if isinstance(x, Tensor) else x for x in self.inputs]
            for i, u in moved.items():
                inputs[i] = forward_ad.make_dual(inputs[i], u)
            pairs = [forward_ad.unpack_dual(o) for o in as_tuple(self.func(*inputs))]
            return tuple([zeros_like(x) if u is None else u for x, u in pairs])

    # ---------------------------------------------------------------------------------- checks

    def slow(self, forward: bool) -> None:
        """The whole Jacobian, element by element."""
        if not self.outputs:
            self.no_slope([basis(x) for x in self.wanted], 0.0)
        numerical = [self.numerical(x) for x in self.wanted]
        pushed = [self.pushed(i, basis(self.inputs[i])) for i in self.at] if forward else []
        for k, (place, output) in enumerate(self.outputs.items()):
            pulled = [] if forward else self.pulled(output, basis(output), self.nondet_tol)
            for i, each in enumerate(numerical):
                n, a = each[place], pushed[i][place] if forward else pulled[i]
                if not close(a, n, self.rtol, self.atol):
                    raise GradcheckError(errors.mismatch(n, a, k, i, forward))

    def fast(self, forward: bool) -> None:
        """v·J·u for random vectors, or in forward mode J·u."""
        numbers = random.Generator()  # one of its own: the user's random numbers go on unchanged
        us = [direction(x, numbers) for x in self.wanted]
        vs = {} if forward else {k: direction(o, numbers) for k, o in self.outputs.items()}
        if not self.outputs:
            self.no_slope([[u] for u in us], self.nondet_tol)
        numerical = [self.difference(x, u) for x, u in zip(self.wanted, us, strict=True)]
        pushed = [self.pushed(i, [u]) for i, u in zip(self.at, us, strict=True) if forward]
        pulled = {k: self.pulled(self.outputs[k], [v], self.nondet_tol) for k, v in vs.items()}
        for i, u in enumerate(us):
            for k, place in enumerate(self.outputs):
                n, atol = numerical[i][place], self.atol * u.sum().item()
                if forward:
                    a = pushed[i][place].reshape(-1)
                else:
                    a, v = (pulled[place][i].reshape(u.shape) * u).sum(), vs[place]
                    n, atol = (v.reshape(-1) * n).sum(), atol * v.sum().item()
                if not close(a, n, self.rtol, atol):
                    text = errors.mismatch(n, a, k, i, forward)
                    raise GradcheckError(text + self.in_full(i, place, forward))

    def in_full(self, i: int, place: int, forward: bool) -> str:
        """The whole of a Jacobian that fast mode has found wrong."""
        x, output = self.wanted[i], self.outputs[place]
        n = self.numerical(x)[place]
        if forward:
            a = self.pushed(self.at[i], basis(x))[place]
        else:
            a = self.pulled(output, basis(output), float("inf"))[i]
        return errors.fast_mode(n, a, (n - a).abs().max(), a.allclose(n, self.rtol, self.atol))

    def no_slope(self, directions: list[list[Tensor]], tolerance: float) -> None:
        """With no differentiable output, the function must be constant."""
        for x, us in zip(self.wanted, directions, strict=True):
            for change in itertools.chain(*[self.difference(x, u) for u in us]):
                if not (change.abs() <= tolerance).all():
                    raise GradcheckError("Numerical gradient for function expected to be zero")

    def zeros_from_zeros(self, masked: bool | None) -> None:
        """Backward must multiply by the incoming gradient."""
        zeros = [zeros_like(o) for o in self.outputs.values()]
        found = autograd.grad(list(self.outputs.values()), self.wanted, zeros, allow_unused=True)
        for g in found:
            if g is not None and not (close(g, zeros_like(g)) if masked else g.eq(0).all()):
                raise GradcheckError("backward not multiplied by grad_output")

    def undefined_gradients(self) -> None:
        """Zeros must come out where no gradient goes in: of all outputs, and of each alone."""
        alone = range(len(self.outputs)) if len(self.outputs) > 1 else ()
        for which in (None, *alone):
            outputs = [
                Undefined.apply(o) if which in (None, k) else o
                for k, o in enumerate(differentiable(self.func(*self.inputs)).values())
            ]
            zeros = [zeros_like(o) for o in outputs]
            try:
                found = autograd.grad(outputs, self.wanted, zeros, allow_unused=True)
            except RuntimeError as e:
                warnings.warn(errors.UNDEFINED_GRAD, stacklevel=3)
                raise GradcheckError(errors.UNDEFINED_UNHANDLED) from e
            if not all(g is None or g.eq(0).all() for g in found):
                warnings.warn(errors.UNDEFINED_GRAD, stacklevel=3)
                raise GradcheckError(errors.UNDEFINED_NOT_ZERO)

    def undefined_tangents(self) -> None:
        """An input without a tangent must be as one whose tangent is zero."""
        numbers = random.Generator()
        us = {i: direction(self.inputs[i], numbers) for i in self.at}
        for i in self.at:
            x = self.inputs[i]
            zero = self.tangents({**us, i: zeros_like(x)})
            none = self.tangents({j: u for j, u in us.items() if j != i})
            for k, (a, b) in enumerate(zip(zero, none, strict=True)):
                if not close(a, b):
                    raise GradcheckError(*errors.undefined_tangent(k, x, a, b))

    def batched_gradients(self) -> None:
        """Backward under `vmap` must be as one vector after the other."""
        for k, output in enumerate(self.outputs.values()):
            same_batched(lambda v, o=output: self.gradients(o, v), output, k)

    def batched_tangents(self) -> None:
        """Forward mode under `vmap` must be as one tangent after the other."""
        for i in self.at:
            same_batched(lambda u, i=i: self.tangents({i: u}), self.inputs[i], i)


class Undefined(Function):
    """Hands a value through, and no gradient back."""

    forward = staticmethod(lambda ctx, x: x.clone())
    backward = staticmethod(lambda ctx, g: None)


# ------------------------------------------------------------------------------------- arguments


def at_least_one(**given: bool) -> None:
    if not any(given.values()):
        names = " or ".join(given)
        raise AssertionError(f"Expected at least one of {names} to be True")


def implies(**given: bool) -> None:
    """The first of two flags needs the second."""
    (first, is_set), (second, needed) = given.items()
    if is_set and not needed:
        raise AssertionError(f"Setting {first}=True requires {second} to be True")


def check_inputs(inputs: tuple[Any, ...]) -> None:
    wanted = wanted_at(inputs)
    for i in wanted:
        if inputs[i].dtype is not dtypes.float64:
            warnings.warn(errors.not_double(i), stacklevel=3)
        sizes = zip(inputs[i].stride(), inputs[i].shape, strict=True)
        if any(step == 0 and size > 1 for step, size in sizes):
            raise RuntimeError(errors.stride_0(i))
    if not wanted:
        raise ValueError(errors.NOTHING_TO_CHECK)


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def differentiable(outputs: Any) -> dict[int, Tensor]:
    """The outputs that have a gradient, by their place."""
    return {k: o for k, o in enumerate(as_tuple(outputs)) if o.requires_grad}


def wanted_at(inputs: Sequence[Any]) -> list[int]:
    return [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]


# --------------------------------------------------------------------------------------- vectors


def basis(x: Tensor) -> list[Tensor]:
    """For each element the tensor of zeros with a 1 there."""
    units = np.eye(x.numel(), dtype=x.array.dtype).reshape(x.numel(), *x.shape)
    return [wrap(unit) for unit in units]


def direction(x: Tensor, numbers: random.Generator) -> Tensor:
    """A random vector of length 1 in the shape of `x`."""
    u = numbers.rand((x.numel(),), np.dtype("float32")).astype(x.array.dtype)
    return wrap((u / np.linalg.norm(u)).reshape(x.shape))


def random_gradient(x: Tensor, gaps: bool) -> Tensor:
    """Uniform numbers between -1 and 1 in the shape of `x`, in memory with gaps if asked."""
    gaps = gaps and x.numel() > 1
    shape = (*x.shape[:-1], 2 * x.shape[-1]) if gaps else x.shape
    out = wrap(random.default_generator.uniform(-1.0, 1.0, shape, x.array.dtype))
    return (out[..., 1::2] if gaps else out).requires_grad_()


def matrix(rows: Sequence[Tensor], like: Tensor, count: int) -> Tensor:
    """Tensors of the size and dtype of `like`, each as one row."""
    arrays = [row.array.reshape(-1) for row in rows]
    return wrap(np.array(arrays, like.array.dtype).reshape(count, like.numel()))


def close(a: Tensor, b: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    return np.allclose(a.array, b.array, rtol, atol)


def same_batched(function: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor, i: int) -> None:
    """Two random vectors through `function`, one by one and together."""
    from ..func import vmap  # it imports this package

    vectors = [randn_like(like) for _ in range(2)]
    expected = [stack(pair) for pair in zip(*map(function, vectors), strict=True)]
    try:
        found = vmap(function)(stack(vectors))
    except RuntimeError as e:
        raise GradcheckError(f"While computing batched gradients, got: {e}") from e
    for k, (got, one_by_one) in enumerate(zip(found, expected, strict=True)):
        if not close(got, one_by_one):
            raise GradcheckError(errors.batched_mismatch(i, k, got, one_by_one))
