"""ShapeTracer: the shapes of an expression, step by step. Forward each operand is stretched to the
shape of the result; backward its gradient is summed over the same axes, back to its own shape.

An expression is read as data, not run as code; a function is called with stand-ins that write down
what it does. Works on tensors of either engine.
"""

from __future__ import annotations

import ast
import math
import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from ..graphs.blocks import EQUALS, Block, Blocks, Row, Sign
from ..graphs.data import GraphNode
from ..graphs.draw import svg
from ..graphs.numbers import nbytes
from ..graphs.protocol import array_of, engine_of
from ..graphs.read import Reading
from ..graphs.style import attributes, css_class
from ..graphs.symbols import expression_of
from ..graphs.typed import parsed
from .backward_debugger import caller_names, listed
from .instrument import Instrument, chosen
from .svg_view import SvgView

MOST, AXES = 8, 3  # operations, axes of a tensor
LABEL = 16  # characters
FILM = 6  # frames of the still picture

SIGNS = {ast.Add: "+", ast.Sub: "−", ast.Mult: "·", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@"}
OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.MatMult: operator.matmul,
}  # fmt: skip
EACH = ("exp", "log", "relu", "tanh", "sigmoid", "sqrt", "sin", "cos", "abs", "square")
REDUCE = ("sum", "mean", "amax")
ALONG = ("softmax", "log_softmax")
MOVE = ("reshape", "unsqueeze", "squeeze", "flatten")

Shape = tuple[int, ...]
Saved = tuple[str, int]  # which value, and its bytes


@dataclass
class Value:
    """A tensor on its way: what it is called, its elements, and the gradient that reaches it."""

    label: str
    tensor: Any
    stretched: Any = None  # the same, copied to the shape of the result, where that differs
    array: np.ndarray = field(default_factory=lambda: np.empty(0))
    grad: np.ndarray | None = None
    stretched_grad: np.ndarray | None = None

    @property
    def shape(self) -> Shape:
        return tuple(getattr(self.tensor, "shape", ()))


@dataclass
class Operation:
    """One operation of the expression."""

    kind: str  # "broadcast", "matmul", "each", "reduce", "along" or "move"
    sign: str  # "·", "sum"
    inputs: list[Value]
    result: Value
    axes: tuple[int, ...] = ()  # that a reduction, or a softmax, runs over
    saved: tuple[Saved, ...] = ()


class ShapeTracer(Instrument):
    """Trace the shapes of an expression forward and back, and see which values each step keeps.

    Args:
        expression: made of names of tensors, numbers, + − * / ** @, and exp, log, relu, tanh,
            sigmoid, sqrt, sin, cos, abs, square, sum, mean, amax, softmax, log_softmax, reshape,
            unsqueeze, squeeze, flatten and T, called as methods or as functions. Or a function
            that computes such an expression of its parameters.
        names: the tensors by name, of autogradlab or PyTorch, or for a function in the order of its
            parameters; by default the caller's variables. They are copied: nothing runs on the
            tensors themselves.
        gradient: what comes in at the result, of its shape; by default ones.
        controls: what to show of "transport"; by default all.

    Raises:
        ValueError: the expression is too long or uses something else; a tensor is empty or has
            more than three axes; or @ has an operand that is no matrix.
        RuntimeError: shapes do not fit, or no tensor requires a gradient, in the engine's words.

    >>> from autogradlab import ones
    >>> a, b = ones(2, 3, requires_grad=True), ones(3, requires_grad=True)
    >>> tracer = ShapeTracer("a * b", {"a": a, "b": b})
    >>> tracer.step()
    'Step 1 of 2, forward. b of shape (3) is copied 2 times along axis 0, to (2, 3).'
    >>> tracer.step().partition(". ")[2]
    'The gradient of b has shape (2, 3) and is summed over axis 0 back to (3).'
    >>> tracer.keeps("a · b")
    'a · b keeps b (12 B) and a (24 B).'
    >>> ShapeTracer(lambda x, y: (x - y).mean(), [a, b]).shapes
    {'x': (2, 3), 'y': (3,), 'x − y': (2, 3), '(x − y).mean()': ()}
    """

    CONTROLS = ("transport",)
    STATE = MappingProxyType({"step": Instrument.STATE["step"]})

    def __init__(
        self,
        expression: str | Callable[..., Any],
        names: Mapping[str, Any] | Sequence[Any] | None = None,
        gradient: Any = None,
        *,
        controls: Iterable[str] | None = None,
    ) -> None:
        names = caller_names(sys._getframe(1)) if names is None else names
        if callable(expression):
            parameters, tree = expression_of(expression)
            if not isinstance(names, Mapping):
                if len(names) != len(parameters):
                    raise ValueError(f"there is one tensor for each of {listed(parameters)}")
                names = dict(zip(parameters, names, strict=True))
        else:
            tree = parsed(expression)
        self._chosen = chosen(controls, type(self))
        self.title = written(ast.unparse(tree))
        plain, traced = Walk(tree, names), Walk(tree, names, stretch=True)
        self.operations, self.leaves = traced.operations, traced.leaves
        self.engine = traced.engine
        traced.go_back(gradient)
        reading = Reading(plain.operations[-1].result.tensor, plain.tensors)
        for ours, theirs in zip(self.operations, plain.operations, strict=True):
            key = reading.keys.get(theirs.result.tensor.grad_fn)
            ours.saved = plain.named(reading.saved[key], reading.graph.nodes[key]) if key else ()
        self.engine_name = reading.graph.engine
        self._blocks = Blocks([self.rows(step) for step in range(self.last + 1)], len(self.labels))
        self.view = view_of(self)

    # ------------------------------------------------------------------------------ the steps

    @property
    def last(self) -> int:
        """The number of steps: each operation forward, then each backward."""
        return 2 * len(self.operations)

    @property
    def labels(self) -> list[str]:
        """The operations in forward order, as the picture writes them."""
        return [each.result.label for each in self.operations]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every tensor, by its label."""
        values = [*self.leaves.values(), *(each.result for each in self.operations)]
        return {value.label: value.shape for value in values}

    @property
    def sentence(self) -> str:
        """The step shown, in words."""
        return self.sentence_of(self.view.step)

    @property
    def summary(self) -> str:
        """The picture in words: the step that is shown."""
        return self.sentence

    def at(self, step: int) -> tuple[Operation, bool]:
        """The operation of a step, and whether it goes forward."""
        forward = step <= len(self.operations)
        return self.operations[step - 1 if forward else self.last - step], forward

    def sentence_of(self, step: int) -> str:
        """One step in words; step 0 asks."""
        if step == 0:
            tensors = listed([f"{v.label} {shown(v.shape)}" for v in self.leaves.values()])
            count = len(self.operations)
            return (
                f"{count} operation{'s' * (count > 1)} on {tensors}. Which will be stretched, and "
                "what shape does each gradient have?"
            )
        operation, forward = self.at(step)
        words = FORWARD[operation.kind] if forward else BACKWARD[operation.kind]
        way = "forward" if forward else "backward"
        return f"Step {step} of {self.last}, {way}. {words(operation)}"

    def jump(self, to: int | str) -> str:
        """Go to a step, by its number, or by the label of an operation to its forward step;
        returns its sentence."""
        step = to if isinstance(to, int) else self._index(to) + 1
        if not 0 <= step <= self.last:
            raise ValueError(f"there is no step {step}: this expression has steps 0 to {self.last}")
        self.view.step = step
        return self.sentence

    def step(self, n: int = 1) -> str:
        """Go `n` steps on, at most to the last; returns the sentence of the step."""
        return self.jump(max(0, min(self.last, self.view.step + n)))

    def back(self, n: int = 1) -> str:
        """Go `n` steps back, at most to the start; returns the sentence of the step."""
        return self.step(-n)

    def keeps(self, label: str) -> str:
        """Which values an operation keeps for its backward step, in words."""
        operation = self.operations[self._index(label)]
        return f"{label} keeps {kept_words(operation, ' and ')}."

    def svg(self) -> str:
        """The step that is shown as a still picture; at the start the steps as a film."""
        steps = [self.view.step] if self.view.step else film(self.last)
        pen, title = attributes, f"Shapes of {self.title}"
        parts, y = [], 0.0
        for step in steps:
            height = self._blocks.height(step)
            parts.append(f'<g transform="translate(0 {y:g})">{self._blocks.frame(pen, step)}')
            caption = self.sentence_of(step).partition(". ")
            parts.append(self._blocks.caption(pen, caption[0], caption[2], height) + "</g>")
            y += height + self._blocks.CAPTION
        lines = self.table(self.view.step or len(self.operations))
        if not self.view.step:
            lines = [(*line[:3], "") for line in lines]  # of a film, what is kept in between
        table = self._blocks.table(pen, lines, y)
        height = y + self._blocks.table_height
        return svg(self._blocks.WIDTH, height, title, self.summary, "".join(parts) + table)

    def _index(self, label: str) -> int:
        if label not in self.labels:
            raise ValueError(f"no operation is called {label!r}; there are {listed(self.labels)}")
        return self.labels.index(label)

    # ---------------------------------------------------------------------------- the picture

    def rows(self, step: int) -> list[Row]:
        """What a step shows: rows of blocks with signs between them."""
        if step == 0:
            return [[Block(v.label, shown(v.shape), v.array) for v in self.leaves.values()]]
        operation, forward = self.at(step)
        if operation.kind == "broadcast":
            return broadcast_rows(operation, forward)
        if operation.kind == "matmul":
            return matmul_rows(operation, forward)
        return [one_row(operation, forward)]

    def table(self, step: int) -> list[tuple[str, str, str, str]]:
        """For each operation its label, its shape, what it keeps, and "now", "freed" or ""."""
        lines = []
        for i, each in enumerate(self.operations):
            now = step > 0 and self.at(step)[0] is each
            done = step > self.last - i  # its backward step lies behind
            state = "now" if now else "freed" if done else "" if step > i else "ahead"
            lines.append((each.result.label, shown(each.result.shape), kept_words(each), state))
        return lines


# ----------------------------------------------------------------------------------- the expression


def written(code: str) -> str:
    """Code as a picture writes it.

    >>> written("a * b - c")
    'a · b − c'
    """
    return code.replace(" * ", " · ").replace(" - ", " − ")


def shown(shape: Shape) -> str:
    """A shape as sentences write it.

    >>> shown((3,)), shown((2, 3)), shown(())
    ('(3)', '(2, 3)', '()')
    """
    return f"({', '.join(map(str, shape))})"


class Walk:
    """An expression, computed on copies of its tensors, operation by operation.

    With `stretch`, operands that broadcast are first expanded to the shape of the result, so that
    the gradient of every copy can be read; the numbers are the same."""

    def __init__(self, tree: ast.expr, names: Mapping[str, Any], stretch: bool = False) -> None:
        self.names, self.stretch = names, stretch
        self.tensors: dict[str, Any] = {}
        self.leaves: dict[str, Value] = {}
        self.operations: list[Operation] = []
        self.engine: Any = None
        self.known: dict[int, Value] = {}  # a function's results, which it may use twice
        root = self.value(tree)
        if not self.operations:
            raise ValueError("the expression has no operation")
        self.root = root.tensor

    def value(self, node: ast.expr) -> Value:
        """The value of a part of the expression, computed once."""
        if id(node) not in self.known:
            self.known[id(node)] = self.computed(node)
        return self.known[id(node)]

    def computed(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Name):
            return self.leaf(node.id)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return Value(written(ast.unparse(node)), node.value, array=np.asarray(node.value))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if isinstance(node.operand, ast.Constant):
                number = -self.value(node.operand).tensor
                return Value(f"−{node.operand.value}", number, array=np.asarray(number))
            x = self.operand(self.value(node.operand))
            return self.add(node, "each", "−", [x], -x.stretched)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return self.binary(node)
        if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
            x = self.operand(self.value(node.value))
            return self.add(node, "move", node.attr, [x], getattr(x.stretched, node.attr))
        if isinstance(node, ast.Call):
            return self.call(node)
        raise ValueError(f"{ast.unparse(node)[:40]!r} cannot be traced")

    def leaf(self, name: str) -> Value:
        if name not in self.leaves:
            x = self.names.get(name)
            if not (hasattr(x, "detach") and hasattr(x, "requires_grad")):
                raise ValueError(f"there is no tensor called {name!r}")
            engine = engine_of(x)
            if self.engine not in (None, engine):
                raise ValueError("the tensors are of two engines")
            self.engine = engine
            copy = x.detach().clone().requires_grad_(x.requires_grad)
            self.tensors[name] = copy
            self.leaves[name] = self.checked(Value(name, copy))
        return self.leaves[name]

    def checked(self, value: Value) -> Value:
        if len(value.shape) > AXES or 0 in value.shape:
            raise ValueError(
                f"{value.label} has shape {shown(value.shape)}; drawn are tensors of 0 to {AXES} "
                "axes that are not empty"
            )
        value.array = np.asarray(array_of(value.tensor), float)
        return value

    def binary(self, node: ast.BinOp) -> Value:
        a, b = self.value(node.left), self.value(node.right)
        kind, sign = type(node.op), SIGNS[type(node.op)]
        numbers = [isinstance(v.tensor, int | float) for v in (a, b)]
        if all(numbers):
            raise ValueError(f"{ast.unparse(node)!r} is a number: write it as one")
        if kind is ast.MatMult:
            if any(numbers) or not len(a.shape) == len(b.shape) == 2:
                raise ValueError("@ is traced for two matrices, that is tensors with two axes")
            a, b = self.operand(a), self.operand(b)
            return self.add(node, "matmul", sign, [a, b], a.stretched @ b.stretched)
        if kind is ast.Pow and numbers[0]:
            raise ValueError("the base of a power must be a tensor")
        if kind is ast.Pow and numbers[1] and abs(b.tensor) > 10:
            raise ValueError("the exponent of a power is at most 10")
        to = tuple(OPERATORS[kind](a.tensor, b.tensor).shape)
        inputs = [self.operand(v, to) for v in (a, b)]
        result = OPERATORS[kind](*(v.stretched for v in inputs))
        return self.add(node, "broadcast", sign, inputs, result)

    def operand(self, value: Value, to: Shape | None = None) -> Value:
        """A value as one operation reads it, so that what comes back through it can be told from
        what comes back through others."""
        tensor = value.tensor
        if self.stretch and not isinstance(tensor, int | float):
            tensor = tensor.expand(value.shape if to is None else to)
        return Value(value.label, value.tensor, tensor, value.array)

    def call(self, node: ast.Call) -> Value:
        """`x.sum(0)`, `torch.sum(x, 0)` or `sum(x, 0)`; arguments are read as data."""
        function, args = node.func, list(node.args)
        name = getattr(function, "attr", None) or getattr(function, "id", "")
        by_module = isinstance(function, ast.Attribute) and (
            isinstance(function.value, ast.Name) and function.value.id == "torch"
        )
        if name not in (*EACH, *REDUCE, *ALONG, *MOVE):
            raise ValueError(f"{str(name)[:40]!r} cannot be traced")
        if isinstance(function, ast.Attribute) and not by_module:
            source = function.value
        elif args:
            source = args.pop(0)
        else:
            raise ValueError(f"{name} of what?")
        x = self.operand(self.value(source))
        try:
            given = [ast.literal_eval(each) for each in args]
            options = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
        except (ValueError, TypeError):
            raise ValueError(f"the arguments of {name} must be numbers") from None
        if isinstance(x.tensor, int | float) or None in options:
            raise ValueError(f"{ast.unparse(node)[:40]!r} cannot be traced")
        try:
            result = getattr(x.stretched, name)(*given, **options)
        except (TypeError, IndexError) as error:
            raise ValueError(str(error).partition("\n")[0]) from None
        kinds = {"reduce": REDUCE, "along": ALONG, "move": MOVE}
        kind = next((k for k, names in kinds.items() if name in names), "each")
        axes = axes_of(given, options, x.shape) if kind in ("reduce", "along") else ()
        return self.add(node, kind, name, [x], result, axes)

    def add(
        self, node: ast.expr, kind: str, sign: str, inputs: list[Value], result: Any,
        axes: Shape = (),
    ) -> Value:  # fmt: skip
        if len(self.operations) == MOST:
            raise ValueError(f"at most {MOST} operations can be traced")
        value = self.checked(Value(self.label(node), result))
        self.operations.append(Operation(kind, sign, inputs, value, axes))
        return value

    def label(self, node: ast.expr) -> str:
        """The code of an operation; where that is long, with dots for operands that were computed;
        with a number where that has been used."""
        text = written(ast.unparse(node))
        text = written(ast.unparse(shorter(node))) if len(text) > LABEL else text
        taken = {each.result.label for each in self.operations} | set(self.leaves)
        again = (f"{text} [{n}]" for n in range(2, MOST + 2))
        return text if text not in taken else next(each for each in again if each not in taken)

    def named(self, saved: Iterable[tuple[str, Any]], node: GraphNode) -> tuple[Saved, ...]:
        """What a node has saved, by our own labels where it is one of our tensors."""
        values = [*self.leaves.values(), *(each.result for each in self.operations)]
        labels = {layout(v.tensor): v.label for v in reversed(values)}
        pairs = zip(saved, node.saved, strict=True)
        return tuple((labels.get(layout(x), whose), size) for (_, x), (_, whose, size) in pairs)

    def go_back(self, gradient: Any) -> None:
        """Run the backward pass and put the gradient of every value where it belongs."""
        values = [*self.leaves.values(), *(each.result for each in self.operations)]
        inputs = [v for each in self.operations for v in each.inputs]
        wanted = [(v, "grad", v.tensor) for v in values]
        wanted += [(v, "stretched_grad", v.stretched) for v in inputs]
        wanted = [w for w in wanted if getattr(w[2], "requires_grad", False)]
        incoming = self.engine.ones_like(self.root)
        if gradient is not None:
            incoming = self.engine.as_tensor(gradient, dtype=self.root.dtype)
        if not self.root.requires_grad:
            return  # reading the graph says so in the engine's words
        found = self.engine.autograd.grad(
            [self.root], [w[2] for w in wanted], [incoming], allow_unused=True
        )
        for (value, name, _), g in zip(wanted, found, strict=True):
            setattr(value, name, None if g is None else np.asarray(array_of(g), float))
        for v in inputs:
            if v.stretched_grad is not None:  # through this operand alone, summed back
                v.grad = summed(v.stretched_grad, v.shape)


def layout(tensor: Any) -> tuple[Any, ...]:
    """What tells whether two tensors show the same memory in the same way."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def shorter(node: ast.expr) -> ast.expr:
    """An operation with dots for operands that were computed."""
    dots = lambda x: x if isinstance(x, ast.Name | ast.Constant) else ast.Name("(…)")  # noqa: E731
    if isinstance(node, ast.BinOp):
        return ast.BinOp(dots(node.left), node.op, dots(node.right))
    if isinstance(node, ast.UnaryOp):
        return ast.UnaryOp(node.op, dots(node.operand))
    if isinstance(node, ast.Attribute):
        return ast.Attribute(dots(node.value), node.attr)
    function, args = node.func, node.args
    if isinstance(function, ast.Attribute):
        function = ast.Attribute(dots(function.value), function.attr)
    return ast.Call(function, [dots(x) if i == 0 else x for i, x in enumerate(args)], node.keywords)


def axes_of(given: list[Any], options: Mapping[str, Any], shape: Shape) -> Shape:
    """The axes that a reduction runs over, counted from 0."""
    dim = given[0] if given else options.get("dim", options.get("axis"))
    every = tuple(range(len(shape)))
    if dim is None or dim == ():
        return every
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    return tuple(sorted(d % len(shape) for d in dims)) if shape else ()


def stretches(shape: Shape, to: Shape) -> list[tuple[int, int]]:
    """The axes of `to` along which `shape` is copied, and how many times.

    >>> stretches((3,), (2, 3)), stretches((2, 1), (2, 3))
    ([(0, 2)], [(1, 3)])
    """
    padded = (1,) * (len(to) - len(shape)) + shape
    missing = len(to) - len(shape)
    pairs = enumerate(zip(padded, to, strict=True))
    return [(i, n) for i, (m, n) in pairs if i < missing or m != n]


def summed(array: np.ndarray, shape: Shape) -> np.ndarray:
    """Un-broadcast: the sum over the axes along which `shape` was copied."""
    axes = tuple(axis for axis, _ in stretches(shape, array.shape))
    return array.sum(axis=axes, keepdims=True).reshape(shape)


# ------------------------------------------------------------------------------------------ words


def axes_words(axes: Iterable[int]) -> str:
    """
    >>> axes_words([0]), axes_words([0, 1]), axes_words([])
    ('axis 0', 'axes 0 and 1', 'no axis')
    """
    axes = [str(axis) for axis in axes]
    return f"{'axis' if len(axes) == 1 else 'axes'} {listed(axes)}" if axes else "no axis"


def copies_words(axes: list[tuple[int, int]]) -> str:
    """How often along which axes, in words."""
    times = {1: "once", 2: "2 times"}
    return listed([f"{times.get(n, f'{n} times')} along axis {axis}" for axis, n in axes])


def stretched_inputs(operation: Operation) -> list[tuple[Value, list[tuple[int, int]]]]:
    """The operands that are copied, tensors only, and along which axes."""
    found = [
        (v, stretches(v.shape, operation.result.shape))
        for v in operation.inputs
        if not isinstance(v.tensor, int | float)
    ]
    return [(v, axes) for v, axes in found if axes]


def broadcast_forward(operation: Operation) -> str:
    copied, to = stretched_inputs(operation), shown(operation.result.shape)
    if not copied:
        return f"{operation.result.label} has the shape {to} of its operands: nothing is copied."
    parts = [f"{v.label} of shape {shown(v.shape)} is copied {copies_words(a)}" for v, a in copied]
    return f"{listed(parts)}, to {to}."


def broadcast_backward(operation: Operation) -> str:
    copied, to = stretched_inputs(operation), shown(operation.result.shape)
    parts = [
        f"of {v.label} has shape {to} and is summed over {axes_words(axis for axis, _ in axes)} "
        f"back to {shown(v.shape)}"
        for v, axes in copied
        if v.grad is not None
    ]
    if not parts:
        return f"The gradients keep the shape {to}: nothing was copied, nothing is summed."
    return f"The gradient {', that '.join(parts)}."


def matmul_forward(operation: Operation) -> str:
    a, b = operation.inputs
    k = a.shape[1]
    return (
        f"{a.label} {shown(a.shape)} @ {b.label} {shown(b.shape)} is "
        f"{shown(operation.result.shape)}: the inner {k} is summed away."
    )


def matmul_backward(operation: Operation) -> str:
    a, b = operation.inputs
    g = operation.result.shape
    parts = [
        (a, f"G @ {b.label}ᵀ, {shown(g)} @ {shown(b.shape[::-1])} = {shown(a.shape)}"),
        (b, f"{a.label}ᵀ @ G, {shown(a.shape[::-1])} @ {shown(g)} = {shown(b.shape)}"),
    ]
    told = [f"of {v.label} is {words}" for v, words in parts if v.grad is not None]
    return f"The gradient {'; that '.join(told)}."


def reduce_forward(operation: Operation) -> str:
    (x,) = operation.inputs
    what = {"sum": "summed", "mean": "averaged", "amax": "searched for the largest"}
    return (
        f"{x.label} {shown(x.shape)} is {what[operation.sign]} over {axes_words(operation.axes)}, "
        f"to {shown(operation.result.shape)}."
    )


def reduce_backward(operation: Operation) -> str:
    (x,) = operation.inputs
    count = math.prod(x.shape[axis] for axis in operation.axes)
    came, to = shown(operation.result.shape), shown(x.shape)
    along = copies_words([(axis, x.shape[axis]) for axis in operation.axes])
    if operation.sign == "amax":
        return f"The gradient {came} goes to the largest elements of {to}; the others receive 0."
    divided = f" It is divided by {count}." if operation.sign == "mean" else ""
    return f"The gradient {came} is copied {along}, back to {to}.{divided}"


def same_forward(operation: Operation) -> str:
    (x,) = operation.inputs
    if operation.kind == "along":
        over = axes_words(operation.axes)
        to = shown(x.shape)
        return f"{operation.sign} compares the elements along {over}: the shape {to} stays."
    return f"{operation.sign} works on each element: the shape {shown(x.shape)} stays."


def same_backward(operation: Operation) -> str:
    (x,) = operation.inputs
    if operation.kind == "along":
        return (
            f"The gradient of each element depends on all along {axes_words(operation.axes)}: the "
            f"shape {shown(x.shape)} stays."
        )
    return (
        f"The gradient is multiplied by the local derivative of each element: the shape "
        f"{shown(x.shape)} stays."
    )


def move_forward(operation: Operation) -> str:
    (x,) = operation.inputs
    to = shown(operation.result.shape)
    return f"The elements of {x.label} {shown(x.shape)} are laid out as {to}."


def move_backward(operation: Operation) -> str:
    (x,) = operation.inputs
    return f"The gradient {shown(operation.result.shape)} is laid out as {shown(x.shape)} again."


FORWARD = {
    "broadcast": broadcast_forward, "matmul": matmul_forward, "reduce": reduce_forward,
    "each": same_forward, "along": same_forward, "move": move_forward,
}  # fmt: skip
BACKWARD = {
    "broadcast": broadcast_backward, "matmul": matmul_backward, "reduce": reduce_backward,
    "each": same_backward, "along": same_backward, "move": move_backward,
}  # fmt: skip


def kept_words(operation: Operation, last: str = ", ") -> str:
    """What an operation has saved, with its bytes."""
    parts = [f"{whose} ({nbytes(size)})" for whose, size in operation.saved]
    return (listed(parts) if last != ", " else ", ".join(parts)) or "nothing"


# ---------------------------------------------------------------------------------------- the rows


def broadcast_rows(operation: Operation, forward: bool) -> list[Row]:
    """The operands that are copied above; below the operation on what they are copied to."""
    copied = {id(v): axes for v, axes in stretched_inputs(operation)}
    to = operation.result.shape
    above: Row = []
    below: Row = []
    for v in operation.inputs:
        axes = copied.get(id(v), [])
        number = isinstance(v.tensor, int | float)
        over = axes_words(axis for axis, _ in axes)
        note = ("" if not axes else f"copied along {over}" if forward else f"summed over {over}")
        if number:
            block = Block(v.label, "a number", v.array)
        elif forward:
            block = Block(v.label, shown(to), np.broadcast_to(v.array, to), copies=axes)
        else:
            name = f"gradient of {v.label}"
            block = Block(name, shown(to), v.stretched_grad, "gradient", axes, shape=to)
        below += [Sign(operation.sign if forward else ""), block] if below else [block]
        if axes and (forward or v.grad is not None):
            block.note = note
            kind = "value" if forward else "gradient"
            name = v.label if forward else f"gradient of {v.label}"
            array = v.array if forward else v.grad
            above.append(Block(name, shown(v.shape), array, kind, under=block, note=note))
    result = operation.result
    if forward:
        below += [EQUALS, Block(result.label, shown(to), result.array)]
    else:
        below += [Sign("←"), Block("gradient in", shown(to), result.grad, "gradient", shape=to)]
    return [above, below] if above else [below]


def matmul_rows(operation: Operation, forward: bool) -> list[Row]:
    """Forward the product; backward one product for each operand that wants a gradient."""
    a, b = operation.inputs
    result, g = operation.result, operation.result.grad
    if forward:
        blocks = [Block(v.label, shown(v.shape), v.array) for v in (a, b, result)]
        return [[blocks[0], Sign("@"), blocks[1], EQUALS, blocks[2]]]
    came = lambda: Block("G", shown(result.shape), g, "gradient", shape=result.shape)  # noqa: E731
    turned = lambda v: Block(f"{v.label}ᵀ", shown(v.shape[::-1]), v.array.T)  # noqa: E731
    rows: list[Row] = []
    for v, left, right in ((a, came(), turned(b)), (b, turned(a), came())):
        if v.grad is not None:
            out = Block(f"gradient of {v.label}", shown(v.shape), v.grad, "gradient")
            rows.append([left, Sign("@"), right, EQUALS, out])
    return rows


def one_row(operation: Operation, forward: bool) -> Row:
    """An operation on one tensor: what goes in, and what comes out."""
    (x,), result = operation.inputs, operation.result
    if forward:
        return [Block(x.label, shown(x.shape), x.array), Sign("→", operation.sign),
                Block(result.label, shown(result.shape), result.array)]  # fmt: skip
    axes = [(axis, x.shape[axis]) for axis in operation.axes] if operation.kind == "reduce" else []
    into = Block(f"gradient of {x.label}", shown(x.shape), x.grad, "gradient", axes, shape=x.shape)
    came = Block("gradient in", shown(result.shape), result.grad, "gradient", shape=result.shape)
    return [into, Sign("←", operation.sign), came]


def film(last: int) -> list[int]:
    """Which steps the still picture shows: all of six, else the first and the last three."""
    return [*range(1, last + 1)] if last <= FILM else [1, 2, 3, last - 2, last - 1, last]


# ------------------------------------------------------------------------------------- the widget


def view_of(tracer: ShapeTracer) -> SvgView:
    """The widget: one part for the blocks, one for the table, whose rows can be selected."""
    blocks, steps = tracer._blocks, range(tracer.last + 1)
    keys = [f"o{i}" for i in range(len(tracer.operations))]
    spots = [blocks.row_spot(i) for i in range(len(keys))]
    targets = [
        [key, tracer.keeps(label), *spots[i], keys[i - 1 : i] if i else [], keys[i + 1 : i + 2]]
        for i, (key, label) in enumerate(zip(keys, tracer.labels, strict=True))
    ]
    forward = [*tracer.labels, *reversed(tracer.labels)]
    view = SvgView(
        title="Shape Tracer",
        expression=tracer.title,
        tag=tracer.engine_name,
        look="below chart",
        view=[float(blocks.WIDTH), float(blocks.total)],
        targets=targets,
        overlays=dict.fromkeys(keys, blocks.marks(css_class)),
        order=[*[["", None, None]] * 2, *([key, *spots[i]] for i, key in enumerate(keys))],
        panels=[""] * len(steps),
        sentences=[tracer.sentence_of(step) for step in steps],
        stops=["start", *forward] if "transport" in tracer._chosen else [],
        steps_keys=["", *keys, *reversed(keys)],
        choices={key: i + 1 for i, key in enumerate(keys)},
    )
    hits = [blocks.hit(css_class)] * len(keys)
    view.set_frames(
        [blocks.frame(css_class, step),
         blocks.table(css_class, tracer.table(step), blocks.tallest), *hits]
        for step in steps
    )  # fmt: skip
    return view
