"""Operations with derivatives: how one is declared, and how a call of it is recorded.

A `Primitive` is an operation with one derivative formula per input. Calling it on tensors computes
the result and, if an input wants a gradient, records a `Node`. A `Plan` is what follows from the
formulas alone: which values a node must save, and the line of code that runs in backward. The
formulas themselves are in `derivatives/`, nodes in `node.py`, running them in `engine.py`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import arrays as arrays_module
from . import hooks
from .modes import modes, reset, silence
from .node import Binary, Node, Output, Unary, Wanted, edge
from .tensor import Tensor, wrap

# For each input: does it want a gradient? None for what is no tensor.
Kinds = tuple[bool | None, ...]


class Primitive:
    """An operation: its name in the graph, its forward function, one formula per input.

    It is called with tensors as positional arguments (the inputs) and constants as keywords; the
    formulas stand in the order of the inputs. The parameters of a formula say what it needs, and so
    what is saved: `g` is the incoming gradient, an input's name its value, `result` the output,
    `self_shape` the shape of the input `self` without its data, any other name a constant.

    The same formula runs on NumPy arrays (first order) and on tensors (`create_graph=True`): it
    uses operators, methods that both have, and primitives, which on bare arrays only compute.

    Args:
        name: the name torch gives the node, such as "MulBackward0".
        forward: takes and returns NumPy arrays.
        promote: brings the inputs to one dtype first, as torch does; None takes them as they are.
        view: the result shares the memory of its input.
        arrays: constants that hold data, which backward frees like any saved value.
        variadic: any number of inputs, and one formula that returns a list of gradients.
        multiple: the operation gives a tuple; formulas get a list of gradients, one for each output
            (None where none arrived), `result` is the tuple, `result0` its first part.
        jvp: how a tangent goes forward. "linear": the operation itself on the tangents; "bilinear":
            with one input at a time replaced by its tangent, summed; "elementwise": the formulas on
            the tangents, summed; else a function of values by name, tangents by name and `_t`
            (zeros where an input has none), and constants.
        batch: how `vmap` calls it, see arrays/batch.py. "elementwise": inputs that broadcast;
            "leading": `forward` does not mind one more dimension in front, once `dim` and `shape`
            constants are shifted; else a function; None: one example after the other.

    >>> from autogradlab import tensor
    >>> cube = Primitive("CubeBackward0", lambda x: x**3, x=lambda g, x: g * 3 * x**2)
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> cube(a)
    tensor([ 8., 27.], grad_fn=<CubeBackward0>)
    >>> cube(a).sum().backward()
    >>> a.grad
    tensor([12., 27.])
    """

    def __init__(
        primitive,
        name: str,
        forward: Callable[..., Any],
        /,
        *,
        promote: Callable[[list[Any]], list[Any]] | None = None,
        view: bool = False,
        arrays: Sequence[str] = (),
        variadic: bool = False,
        multiple: bool = False,
        jvp: str | Callable[..., Any] | None = None,
        batch: str | Callable[..., Any] | None = None,
        **formulas: Callable[..., Any],
    ) -> None:
        primitive.name, primitive.forward, primitive.formulas = name, forward, formulas
        primitive.promote, primitive.view = promote, view
        primitive.arrays, primitive.variadic, primitive.multiple = arrays, variadic, multiple
        primitive.jvp, primitive.batch = jvp, batch
        primitive.jvp_needs = parameters(jvp) if callable(jvp) else []
        primitive.defaults = getattr(forward, "__kwdefaults__", None) or {}
        primitive.needs = {n: parameters(f)[1:] for n, f in formulas.items()}
        primitive.plans: dict[Kinds, Plan] = {}
        primitive.node = node_type(name, 0 if variadic else len(formulas))

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __call__(primitive, /, *inputs: Any, **constants: Any) -> Any:
        arrays, kinds = [], []
        for x in inputs:
            if isinstance(x, Tensor):
                if x.base is None:
                    kinds.append(x._requires_grad)
                else:
                    if primitive.formulas:  # else its history does not matter
                        x.renew()
                    kinds.append(x.requires_grad)
                x = x.array
            else:
                kinds.append(None)
            arrays.append(x)
        on_tensors = kinds.count(None) < len(kinds)
        given = constants
        for name, value in given.items():
            if isinstance(value, Tensor):
                on_tensors, constants = True, {**constants, name: value.array}
        if not on_tensors:
            return primitive.forward(*arrays, **constants)
        if primitive.view:
            arrays[0] = inputs[0].memory()
        token = silence()
        try:
            if modes.lifted:
                result = primitive.compute(arrays, constants)
            else:
                if primitive.promote is not None:
                    arrays = primitive.promote(arrays)
                result = primitive.forward(*arrays, **constants)
        finally:
            reset(token)
        outputs = tuple(map(wrap, result)) if primitive.multiple else (wrap(result),)
        if modes.made is not None:
            modes.made.update(outputs)
        if primitive.view:
            for out in outputs:
                out.become_view_of(inputs[0], primitive.name * primitive.multiple)
        elif modes.inference:
            for out in outputs:
                out.inference = out.special = True
        if True in kinds and modes.grad_enabled and primitive.formulas:
            if given is not constants:  # a tensor among them is watched, as an input is
                constants |= {name: given[name] for name in primitive.arrays if name in given}
            primitive.record(inputs, kinds, outputs, result, constants)
        return outputs if primitive.multiple else outputs[0]

    def compute(self, arrays: list[Any], constants: dict[str, Any]) -> Any:
        """The result on arrays, which may be lifted (see arrays/)."""
        return self.peel(arrays if self.promote is None else self.promote(arrays), constants)

    def peel(self, arrays: list[Any], constants: dict[str, Any]) -> Any:
        """The same, on arrays that are of one dtype already: a layer at a time."""
        kind = arrays_module.newest([*arrays, *constants.values()])
        if kind is not None:
            return kind.lift(self, arrays, constants)
        return self.forward(*arrays, **constants)

    def record(
        self, inputs: Sequence[Any], kinds: list[Any], outputs: Any, result: Any, constants: Any
    ) -> None:
        """Leave a node behind, for the outputs that can have a gradient."""
        differentiable = [out for out in outputs if out.array.dtype.kind == "f"]
        if not differentiable:
            return
        kind = lifted_type(self.node) if modes.lifted else self.node
        constants = {**self.defaults, **constants} if self.defaults else constants
        node = kind(self.plan(tuple(kinds)), inputs, result, constants)
        for out in differentiable:
            out._requires_grad, out.node = True, node
        if self.multiple:
            for k, out in enumerate(outputs):
                if out.node is node:
                    out.node = Output(node, k, len(outputs), out.array)
        for recorder in modes.recorders:
            recorder(node)

    def named(self, name: str) -> Primitive:
        """The same operation under another of torch's names."""
        twin = object.__new__(Primitive)
        arity = 0 if self.variadic else len(self.formulas)
        twin.__dict__.update(self.__dict__, name=name, plans={}, node=node_type(name, arity))
        return twin

    def plan(self, kinds: Kinds) -> Plan:
        """The plan for recording inputs of these kinds (made once, then kept)."""
        if kinds not in self.plans:
            self.plans[kinds] = Plan(self, kinds)
        return self.plans[kinds]


class Boundary(Primitive):
    """A primitive that makes an array of a level, or takes it apart, instead of lifting over it."""

    def peel(self, arrays: list[Any], constants: dict[str, Any]) -> Any:
        kind = arrays_module.newest(arrays)
        if kind is not None and kind.level > constants["level"]:
            return kind.lift(self, arrays, constants)
        return self.forward(*arrays, **constants)


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a formula's parameters; `inspect.signature` would cost a fifth of the import."""
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def node_type(name: str, arity: int) -> type[Node]:
    """The class of an operation's nodes: `type(y.grad_fn).__name__` is torch's name for it."""
    kind = {1: Unary, 2: Binary}.get(arity, Node)
    return type(name.rpartition("::")[2], (kind,), {"__slots__": (), "__module__": "builtins"})


@functools.cache
def lifted_type(kind: type[Node]) -> type[Node]:
    """The class of an operation's nodes that were recorded inside a transform: their formulas run
    on tensors, which hold duals and batches."""
    body = {"__slots__": (), "__module__": kind.__module__, "lifted": True}
    return type(kind.__name__, (kind,), body)


class Plan:
    """What to save, and what to run, when a given set of a primitive's inputs wants a gradient.

    `pack` collects the saved values when a node is recorded; `run` computes the gradients from
    them. Both are one generated line, and `str(plan)` shows the second.

    >>> from autogradlab.derivatives import mul
    >>> print(mul.plan((True, False)))
    lambda g, other: (d_self(g, other), None,)
    """

    def __init__(self, primitive: Primitive, kinds: Kinds) -> None:
        self.primitive, inputs = primitive, list(primitive.formulas)
        self.wanted = wanted = tuple([bool(kind) for kind in kinds])
        active = inputs if primitive.variadic else itertools.compress(inputs, wanted)
        used = set(itertools.chain(*(primitive.needs[name] for name in active)))
        each = {"result": "result", **{f"result{k}": "result" for k in range(2)}}
        for i, name in enumerate(inputs):
            each[name], each[f"{name}_shape"] = f"inputs[{i}]", f"inputs[{i}].array.shape"
        if primitive.variadic:
            each[f"{inputs[0]}_shape"] = "[x.array.shape for x in inputs]"
        for name in primitive.arrays:  # unlike numbers, only kept where they are needed
            each[name] = f"constants[{name!r}]"
        every = dict.fromkeys(itertools.chain(*primitive.needs.values()))
        self.names = [name for name in every if name in used or name not in each]
        tensors = [name for name, kind in zip(inputs, kinds, strict=False) if kind is not None]
        self.tensors_at = [i for i, name in enumerate(self.names) if name in tensors]
        others = set(inputs).difference(tensors)
        self.others_at = [i for i, name in enumerate(self.names) if name in others]
        self.arrays_at = [i for i, name in enumerate(self.names) if name in primitive.arrays]
        self.watched_at = [*self.tensors_at, *self.arrays_at]  # tensors, of which versions are kept
        result = next((name for name in self.names if name.startswith("result")), None)
        self.result_at = None if result is None else self.names.index(result)
        self.result_nr = int(result[-1]) if result not in (None, "result") else None
        self.frees = result is not None or not {*inputs, *primitive.arrays}.isdisjoint(self.names)
        sources = "".join(each.get(n, f"constants[{n!r}]") + ", " for n in self.names)
        self.pack = eval(f"lambda inputs, result, constants: ({sources})")
        ends = [f"edge(inputs[{i}])" if want else "None" for i, want in enumerate(wanted)]
        self.edges = eval(f"lambda inputs: ({', '.join(ends)},)", {"edge": edge})
        self.runs: dict[Wanted, Callable[..., Sequence[Any]]] = {}
        self.quick = self.straight()

    def __str__(self) -> str:
        return self.code(self.wanted)

    def straight(self) -> Callable[[Any, Any], Sequence[Any] | None]:
        """The line as a function of the gradient and the saved values themselves, for arrays; it
        gives None where these have to be looked at first (`Node.unpack`)."""
        at = self.tensors_at
        values = [f"saved[{i}]{'.array' * (i in at)}, " for i in range(len(self.names))]
        then = "(0 if versions is None else versions[{}])"
        unsure = "".join(
            f" or (c := saved[{i}].cell) is not None and c[0] != {then.format(i)}" for i in at
        )
        unsure += "".join(f" or saved[{i}].__class__ is Tensor" for i in self.arrays_at)
        unsure += " or True" * (self.result_nr is not None)
        body = self.code(self.wanted).partition(": ")[2]
        lines = ["def quick(g, saved, versions):", f" if saved is None{unsure}: return None"]
        lines += [f" {', '.join(self.names)}, = {''.join(values)}"] * bool(self.names)
        space = {f"d_{name}": f for name, f in self.primitive.formulas.items()}
        space["Tensor"] = Tensor
        exec("\n".join([*lines, f" return {body}"]), space)
        return space["quick"]

    def code(self, wanted: Wanted) -> str:
        """The line that computes the wanted gradients from what this plan has saved."""
        formulas, needs = self.primitive.formulas, self.primitive.needs
        calls = {name: f"d_{name}({', '.join(['g', *needs[name]])})" for name in formulas}
        if self.primitive.variadic:
            (body,) = calls.values()
        else:
            outputs = [calls[n] if want else "None" for n, want in zip(calls, wanted, strict=True)]
            body = f"({', '.join(outputs)},)"
        return f"lambda {', '.join(['g', *self.names])}: {body}"

    def run(self, wanted: Wanted | None, g: Any, values: Sequence[Any]) -> Sequence[Any]:
        """The wanted gradients, given the incoming one and the saved values."""
        wanted = self.wanted if wanted is None else wanted
        function = self.runs.get(wanted)
        if function is None:
            formulas = {f"d_{name}": f for name, f in self.primitive.formulas.items()}
            function = self.runs[wanted] = eval(self.code(wanted), formulas)
        return function(g, *values)

    def saved_value(self, node: Node, attribute: str) -> Any:
        """What torch shows as `node._saved_…`: a tensor, a shape, a constant; None if not saved. As
        `node._raw_saved_…` whether a hook has packed it, for tensors only."""
        name = attribute.removeprefix("_raw").removeprefix("_saved_")
        name = name.replace("_sym_sizes", "_shape")
        if attribute.startswith("_raw"):
            data = (*self.primitive.formulas, *self.primitive.arrays, "result")
            if name in data and any(name in needs for needs in self.primitive.needs.values()):
                return hooks.SavedTensor(node.extras and node.extras.unpack)
        elif name in self.names:
            i = self.names.index(name)
            data = name in (*self.primitive.formulas, *self.primitive.arrays)
            # A constant is there as it is; to see a tensor, unpack hooks may have much to do.
            whole = self.frees and (data or name.startswith("result") or node.saved is None)
            value = node.unpack(True)[i] if whole else node.saved[i]
            if name in self.primitive.arrays and isinstance(value, tuple):
                given = node.extras and node.extras.guards.get(name)
                return given or tuple(None if isinstance(v, slice) else wrap(v) for v in value)
            if value is None:
                return None
            return wrap(np.asarray(value)) if data and not isinstance(value, Tensor) else value
        elif any(name in needs for needs in self.primitive.needs.values()):
            return None
        raise AttributeError(f"'{node.name()}' object has no attribute '{attribute}'")
