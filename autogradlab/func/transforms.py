"""The transforms: each takes a function and gives a function."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import autograd
from ..arrays import lifting
from ..arrays.batch import Batch, from_batch, to_batch
from ..arrays.dual import paired, primal_of, tangent_of
from ..autograd.grad_mode import enable_grad
from ..derivatives import alias, expand
from ..engine import reachable
from ..modes import modes
from ..node import clock, edge
from ..ops.shapes import movedim, stack
from ..tensor import Tensor, wrap
from . import trees

Argnums = int | tuple[int, ...]


# ------------------------------------------------------------------------------------------- vmap


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function on every example at once.

    Args:
        in_dims: for each input the dimension of its examples, None for an input all share.
        out_dims: for each output where the examples are to stand.
        randomness: what random operations inside do: raise an "error", draw the "same" numbers for
            all examples, or "different" ones.
        chunk_size: how many examples to compute at once; None means all.

    >>> from autogradlab import arange
    >>> vmap(lambda row, scale: (row * scale).sum(), in_dims=(0, None))(arange(4.0).view(2, 2), 10)
    tensor([10., 50.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims, build = batched_inputs(func, in_dims, args)
        count = leaves[next(i for i, d in enumerate(dims) if d is not None)].shape[
            next(d for d in dims if d is not None)
        ]
        if chunk_size is not None and chunk_size < count:
            return in_chunks(func, leaves, dims, build, out_dims, randomness, chunk_size, kwargs)
        level = next(clock)
        before, modes.vmaps = modes.vmaps, (*modes.vmaps, (level, count, randomness))
        try:
            with lifting():
                inside = [
                    x if d is None else to_batch(moved(x, d, 0), level=level, count=count)
                    for x, d in zip(leaves, dims, strict=True)
                ]
                out = func(*build(inside), **kwargs)
                return unbatched_outputs(func, out, out_dims, level, count)
        finally:
            modes.vmaps = before

    return wrapped


def batched_inputs(
    func: Callable[..., Any], in_dims: Any, args: tuple[Any, ...]
) -> tuple[list[Any], list[int | None], Callable[[list[Any]], Any]]:
    """The leaves of the arguments and the dimension of the examples in each, checked."""
    name = getattr(func, "__name__", repr(func))
    call = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, int | tuple | list):
        raise ValueError(
            f"{call}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a function with no inputs. The latter is unsupported."
        )
    leaves, build = trees.flatten(args)
    dims = trees.spread(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args)
    if dims is None:
        raise ValueError(
            f"{call}in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {trees.spec(in_dims)} but inputs has structure {trees.spec(args)}."
        )
    for i, (x, d) in enumerate(zip(leaves, dims, strict=True)):
        if d is None:
            continue
        if not isinstance(d, int):
            raise ValueError(
                f"{call}Got in_dim={d} for an input but in_dim must be either an integer dimension "
                "or None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{call}Got in_dim={d} for an input but the input is of type {type(x)}. We cannot "
                "vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -x.ndim <= d < x.ndim:
            raise ValueError(
                f"{call}Got in_dim={d} for some input, but that input is a Tensor of "
                f"dimensionality {x.ndim} so expected in_dim to satisfy "
                f"-{x.ndim} <= in_dim < {x.ndim}."
            )
        dims[i] = d % x.ndim
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError(
            f"{call}at least one input must have a dimension to map over, got None for all."
        )
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return leaves, dims, build


def moved(x: Tensor, source: int, destination: int) -> Tensor:
    """A dimension in another place; nothing to do where it is there."""
    return x if source == destination else movedim(x, source, destination)


def unbatched_outputs(
    func: Callable[..., Any], out: Any, out_dims: Any, level: int, count: int
) -> Any:
    """The outputs with their examples as a dimension."""
    name = getattr(func, "__name__", repr(func))
    leaves, build = trees.flatten(out)
    dims = trees.spread(tuple(out_dims) if isinstance(out_dims, list) else out_dims, out)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with "
            "the structure of `outputs`. out_dims has structure "
            f"{trees.spec(out_dims)} but outputs has structure {trees.spec(out)}."
        )
    made = []
    for x, d in zip(leaves, dims, strict=True):
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did "
                "you mean to set out_dims= to None for output?"
            )
        if d is None:
            if level in getattr(x.array.shape, "levels", ()):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is "
                    "None"
                )
            made.append(x)
        else:
            made.append(moved(from_batch(x, level=level, count=count), 0, d))
    return build(made)


def in_chunks(
    func: Callable[..., Any],
    leaves: list[Any],
    dims: list[int | None],
    build: Callable[[list[Any]], Any],
    out_dims: Any,
    randomness: str,
    size: int,
    kwargs: dict[str, Any],
) -> Any:
    """Some examples at a time, and their outputs joined."""
    from ..ops.shapes import cat

    front = [x if d is None else moved(x, d, 0) for x, d in zip(leaves, dims, strict=True)]
    count = next(len(x) for x, d in zip(front, dims, strict=True) if d is not None)
    places = build([None if d is None else 0 for d in dims])
    parts = [
        trees.flatten(
            vmap(func, places, 0, randomness)(
                *build([x if d is None else x[i : i + size]
                        for x, d in zip(front, dims, strict=True)]), **kwargs)
        )
        for i in range(0, count, size)
    ]  # fmt: skip
    make = parts[0][1]
    joined = [cat(column, 0) for column in zip(*(own for own, _ in parts), strict=True)]
    where = trees.spread(out_dims, make(joined)) or [0] * len(joined)
    return make([movedim(x, 0, d) for x, d in zip(joined, where, strict=True)])


# ----------------------------------------------------------------------------------- reverse mode


def fresh(x: Any) -> Tensor:
    """A tensor with the value of `x` whose gradient can be asked for: a leaf, or, where `x` has a
    history, a node of its own that continues it. Inside vmap every example has its own."""
    if not isinstance(x, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
    if x.array.dtype.kind != "f":
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    for level, count, _ in modes.vmaps:
        if level not in getattr(x.array.shape, "levels", ()):
            if x.requires_grad or not isinstance(x.array, np.ndarray):
                whole = expand(x, shape=(count, *x.shape))
                x = to_batch(whole, level=level, count=count)
            else:
                x = wrap(Batch(np.broadcast_to(x.array, (count, *x.shape)), level))
    return alias(x) if x.requires_grad else wrap(x.array).requires_grad_()


def chosen(args: tuple[Any, ...], argnums: Argnums) -> tuple[tuple[Any, ...], list[int]]:
    """The differentiated arguments, and where they stand."""
    for n in argnums if isinstance(argnums, tuple) else (argnums,):
        if not isinstance(n, int):
            raise RuntimeError(f"argnum must be int, got: {type(n)}")
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    at = [n % len(args) for n in (argnums if isinstance(argnums, tuple) else (argnums,))]
    return tuple(args[i] for i in at), at


def recorded(
    func: Callable[..., Any], args: tuple[Any, ...], argnums: Argnums, kwargs: dict[str, Any]
) -> tuple[Any, list[Tensor], Callable[[list[Any]], Any]]:
    """`func` run on fresh arguments: its output, the fresh tensors, and how to build from as many
    gradients what the user gets."""
    picked, at = chosen(args, argnums)
    leaves, build = trees.flatten(picked)
    inputs = list(map(fresh, leaves))
    arguments = list(args)
    for i, x in zip(at, build(inputs), strict=True):
        arguments[i] = x
    out = func(*arguments, **kwargs)
    return out, inputs, lambda g: build(g) if isinstance(argnums, tuple) else build(g)[0]


def needs_graph(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> bool:
    """Whether anything but the fresh inputs takes part, so that the gradient has a gradient."""
    roots = [e for x in outputs if (e := edge(x)) is not None]
    own = {edge(x) for x in inputs if x.node is None}
    return any(x.node is not None for x in inputs) or bool(reachable(roots)[1].keys() - own)


def gradients(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Any], retain: bool
) -> list[Tensor]:
    """vᵀJ for each input; zeros where the outputs do not depend on it."""
    pairs = [(o, g) for o, g in zip(outputs, cotangents, strict=True) if o.requires_grad]
    if not pairs:
        return [wrap(np.zeros(tuple(x.shape), x.array.dtype)) for x in inputs]
    create = needs_graph([o for o, _ in pairs], inputs)
    return list(
        autograd.grad(
            [o for o, _ in pairs], inputs, [g for _, g in pairs], retain or create, create,
            materialize_grads=True,
        )
    )  # fmt: skip


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient of a function that gives one number, with respect to `argnums`.

    >>> from autogradlab import tensor
    >>> grad(grad(lambda x: x**3))(tensor(2.0))
    tensor(12.)
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        slopes, _, aux, inputs = slopes_of(func, argnums, has_aux, args, kwargs)
        return (slopes, plain(aux, inputs)) if has_aux else slopes

    return wrapped


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient, and the value; with `has_aux` the value is a pair whose second is handed on."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        slopes, out, aux, inputs = slopes_of(func, argnums, has_aux, args, kwargs)
        value = plain(out, inputs)
        return slopes, (value, plain(aux, inputs)) if has_aux else value

    return wrapped


def slopes_of(
    func: Callable[..., Any],
    argnums: Argnums,
    has_aux: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, Tensor, Any, list[Tensor]]:
    """The gradient of a function that gives one number, what it gave, and the fresh inputs."""
    with lifting(), enable_grad():
        out, inputs, build = recorded(func, args, argnums, kwargs)
        aux = None
        if has_aux:
            if not (isinstance(out, tuple) and len(out) == 2):
                raise RuntimeError(
                    "grad_and_value(f)(*args): output of function f should be a tuple: "
                    "(output, aux) if has_aux is True"
                )
            out, aux = out
        if not isinstance(out, Tensor):
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(out)}"
            )
        if out.ndim:
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got "
                f"tensor with {out.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs "
                "instead?"
            )
        one = wrap(np.ones((), out.array.dtype)[()])
        return build(gradients([out], inputs, [one], False)), out, aux, inputs


def plain(x: Any, inputs: Sequence[Tensor]) -> Any:
    """Outputs without the history that ends at the fresh inputs of a transform."""
    leaves, build = trees.flatten(x)
    tensors = [t for t in leaves if isinstance(t, Tensor) and t.requires_grad]
    if not tensors or needs_graph(tensors, inputs):
        return x
    return build([wrap(t.array) if isinstance(t, Tensor) else t for t in leaves])


def vjp(
    func: Callable[..., Any], *primals: Any, has_aux: bool = False
) -> tuple[Any, Callable[..., Any]] | tuple[Any, Callable[..., Any], Any]:
    """The output, and the function that takes a cotangent v back to vᵀJ.

    >>> from autogradlab import tensor
    >>> out, back = vjp(lambda x: x**2, tensor([1.0, 3.0]))
    >>> out, back(tensor([1.0, 1.0]))
    (tensor([1., 9.]), (tensor([2., 6.]),))
    """
    with lifting(), enable_grad():
        out, inputs, build = recorded(func, primals, tuple(range(len(primals))), {})
        out, aux = out if has_aux else (out, None)
        outputs = tensors_only("vjp(f, *primals)", "f(*primals)", out)

    def back(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        with lifting(), enable_grad():
            return build(gradients(outputs, inputs, trees.flatten(given)[0], retain_graph))

    out, aux = plain(out, inputs), plain(aux, inputs)
    return (out, back, aux) if has_aux else (out, back)


def tensors_only(name: str, call: str, out: Any) -> list[Tensor]:
    leaves, _ = trees.flatten(out)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(
                f"{name}: expected {call} to return only tensors, got unsupported type {type(x)}"
            )
    return leaves


# ----------------------------------------------------------------------------------- forward mode


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The output, and Jv: how it moves when the primals move along the tangents.

    >>> from autogradlab import tensor
    >>> jvp(lambda x: x**2, (tensor([1.0, 3.0]),), (tensor([1.0, 1.0]),))
    (tensor([1., 9.]), tensor([2., 6.]))
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to "
            "call f(*primals)."
        )
    values, build = trees.flatten(primals)
    moves, _ = trees.flatten(tangents)
    if trees.spec(primals) != trees.spec(tangents):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
            "structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {trees.spec(primals)} and tangents with structure "
            f"{trees.spec(tangents)}"
        )
    level = next(clock)
    with lifting():
        out = func(*build([paired(x, t, level) for x, t in zip(values, moves, strict=True)]))
        out, aux = out if has_aux else (out, None)
        outputs = tensors_only("jvp(f, primals, tangents)", "f(*primals)", out)
        remake = trees.flatten(out)[1]
        value = remake([primal_of(x, level=level) for x in outputs])
        move = remake([tangent_of(x, level=level) for x in outputs])
        others, make = trees.flatten(aux)
        aux = make([primal_of(x, level=level) if isinstance(x, Tensor) else x for x in others])
    return (value, move, aux) if has_aux else (value, move)


# -------------------------------------------------------------------------------------- Jacobians


def basis(leaves: Sequence[Tensor]) -> list[Tensor]:
    """The unit vectors of all leaves together, as one batch for each leaf."""
    sizes = [x.numel() for x in leaves]
    ends = np.cumsum(sizes)
    eye = np.eye(sum(sizes))
    return [
        wrap(eye[:, end - n : end].reshape(-1, *x.shape).astype(x.array.dtype))
        for x, n, end in zip(leaves, sizes, ends, strict=True)
    ]


def split_rows(x: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """The first dimension of a batch over `basis(leaves)`, cut and shaped like the leaves."""
    made, start = [], 0
    for leaf in leaves:
        n = leaf.numel()
        own = x if n == len(x) else x[start : start + n]
        made.append(own.reshape(*leaf.shape, *x.shape[1:]))
        start += n
    return made


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The Jacobian by reverse mode: one row for each element of the output, all at once.

    >>> from autogradlab import tensor
    >>> jacrev(lambda x: x**2)(tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with lifting(), enable_grad():
            out, inputs, build = recorded(func, args, argnums, kwargs)
            out, aux = out if has_aux else (out, None)
            outputs = tensors_only("vjp(f, *primals)", "f(*primals)", out)

            def back(*cotangents: Tensor) -> tuple[Tensor, ...]:
                return tuple(gradients(outputs, inputs, cotangents, True))

            units = basis(outputs)
            if len(units[0]) == 1:  # one row needs no batch
                rows = [row.unsqueeze(0) for row in back(*(wrap(u.array[0]) for u in units))]
            else:
                rows = vmap(back, chunk_size=chunk_size)(*units)
            remake = trees.flatten(out)[1]
            columns = [split_rows(row, outputs) for row in rows]
            made = remake([build([c[i] for c in columns]) for i in range(len(outputs))])
            aux = plain(aux, inputs)
        return (made, aux) if has_aux else made

    return wrapped


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The Jacobian by forward mode: one column for each element of the input, all at once.

    >>> from autogradlab import tensor
    >>> jacfwd(lambda x: x**2)(tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        picked, at = chosen(args, argnums)
        leaves, build = trees.flatten(picked)

        def along(*moves: Tensor) -> Any:
            def inner(*values: Any) -> Any:
                arguments = list(args)
                for i, x in zip(at, build(list(values)), strict=True):
                    arguments[i] = x
                return func(*arguments, **kwargs)

            value, move, *aux = jvp(inner, tuple(leaves), moves, has_aux=has_aux)
            kept.append((value, *aux))
            return move

        kept: list[Any] = []
        moves = vmap(along, randomness=randomness)(*basis(leaves))
        flat, remake = trees.flatten(moves)
        made = []
        for x in flat:
            columns = split_rows(x, leaves)
            own = [
                movedim(c, tuple(range(leaf.ndim)), tuple(range(-leaf.ndim, 0)))
                if leaf.ndim
                else c
                for c, leaf in zip(columns, leaves, strict=True)
            ]
            made.append(build(own) if isinstance(argnums, tuple) else build(own)[0])
        jacobian = remake(made)
        return (jacobian, first_example(kept[0][1])) if has_aux else jacobian

    return wrapped


def first_example(aux: Any) -> Any:
    """What does not depend on the direction, without its batch."""
    leaves, build = trees.flatten(aux)
    return build([
        wrap(x.array.array[0]) if hasattr(x, "array") and hasattr(x.array, "level") else x
        for x in leaves
    ])  # fmt: skip


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The second derivatives: forward over reverse mode.

    >>> from autogradlab import tensor
    >>> hessian(lambda x: (x**3).sum())(tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with these tensors in place of its parameters and buffers.

    Args:
        parameter_and_buffer_dicts: the tensors by path, in one dict or several; what the module
            puts in their place while it runs is written back into one dict.
        tie_weights: parameters that are one tensor in the module get one tensor.
        strict: every parameter and buffer must be given, and nothing else.

    >>> from autogradlab import nn, ones, zeros
    >>> functional_call(nn.Linear(2, 1), {"weight": ones(1, 2), "bias": zeros(1)}, ones(2))
    tensor([2.])
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, dict):
        tensors = given
    elif not isinstance(given, Sequence):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(given)}"
        )
    else:
        if not all(isinstance(each, dict) for each in given):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        count = Counter(name for each in given for name in each)
        repeated = [name for name, n in count.items() if n > 1]
        if repeated:
            raise ValueError(
                f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        tensors = {name: x for each in given for name, x in each.items()}
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with module._using(tensors, tie_weights=tie_weights, strict=strict):
        return module(*arguments, **(kwargs or {}))


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of networks of one kind, each stacked: for `vmap` over them.

    Raises:
        RuntimeError: there is no network, or they differ in class, mode or what needs a gradient.

    >>> from autogradlab import nn
    >>> stack_module_state([nn.Linear(2, 1), nn.Linear(2, 1)])[0]["weight"].shape
    torch.Size([2, 1, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    for what, kinds in (
        ("have the same training/eval mode", {bool(model.training) for model in models}),
        ("be of the same class", set(map(type, models))),
    ):
        if len(kinds) > 1:
            raise RuntimeError(f"stack_module_state: Expected all models to {what}.")
    params, buffers = [
        {name: stacked_leaf(name, [tensors[name] for tensors in each]) for name in each[0]}
        for each in (
            [dict(model.named_parameters()) for model in models],
            [dict(model.named_buffers()) for model in models],
        )
    ]
    return params, buffers


def stacked_leaf(name: str, tensors: list[Tensor]) -> Tensor:
    """Tensors stacked to a new leaf."""
    wanting = {x.requires_grad for x in tensors}
    if len(wanting) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    out = stack([x.detach() for x in tensors])
    return out.requires_grad_() if True in wanting else out
