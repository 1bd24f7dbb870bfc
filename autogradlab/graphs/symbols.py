"""A function as the expression it computes: it is called with stand-ins for its tensors, which
write down what is done with them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

ENGINES = ("torch", "autogradlab")
OPERATORS = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "truediv": ast.Div, "pow": ast.Pow,
    "matmul": ast.MatMult,
}  # fmt: skip


class Symbol:
    """A stand-in for a tensor, or for the engine. What is done with it becomes a tree.

    >>> x = Symbol(ast.Name("x"))
    >>> ast.unparse((2 * x.exp() - x).sum(0, keepdim=True).tree)
    '(2 * x.exp() - x).sum(0, keepdim=True)'
    """

    def __init__(self, tree: ast.expr) -> None:
        self.tree = tree

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ("nn", "functional") and isinstance(self.tree, ast.Name):
            return self  # torch.nn.functional.relu is torch.relu
        return Symbol(ast.Attribute(self.tree, name, ast.Load()))

    def __call__(self, *args: Any, **options: Any) -> Symbol:
        keywords = [ast.keyword(name, tree_of(x)) for name, x in options.items()]
        return Symbol(ast.Call(self.tree, [tree_of(x) for x in args], keywords))

    def __neg__(self) -> Symbol:
        return Symbol(ast.UnaryOp(ast.USub(), self.tree))

    def __bool__(self) -> bool:
        raise TypeError("which way it goes depends on the numbers in a tensor")


def _operator(kind: type[ast.operator], turned: bool) -> Callable[[Symbol, Any], Symbol]:
    def joined(self: Symbol, other: Any) -> Symbol:
        pair = self.tree, tree_of(other)
        left, right = pair[::-1] if turned else pair
        return Symbol(ast.BinOp(left, kind(), right))

    return joined


for _name, _kind in OPERATORS.items():
    setattr(Symbol, f"__{_name}__", _operator(_kind, turned=False))
    setattr(Symbol, f"__r{_name}__", _operator(_kind, turned=True))


def tree_of(x: Any) -> ast.expr:
    """The tree of a stand-in, or of plain data."""
    if isinstance(x, Symbol):
        return x.tree
    if isinstance(x, int | float | tuple | list | str | None):
        return ast.parse(repr(x), mode="eval").body
    raise TypeError(f"a {type(x).__name__} in it is no parameter; give it as one")


def expression_of(function: Callable[..., Any]) -> tuple[list[str], ast.expr]:
    """The names of a function's parameters, and the expression it computes of them. A value that it
    uses twice is the same tree twice.

    Raises:
        ValueError: it branches on a tensor, or uses one that is no parameter.

    >>> names, tree = expression_of(lambda a, b: (a * b).sum())
    >>> names, ast.unparse(tree)
    (['a', 'b'], '(a * b).sum()')
    """
    if not isinstance(function, FunctionType):
        raise ValueError("give a function made with def or lambda")
    names = list(inspect.signature(function).parameters)
    engine = Symbol(ast.Name("torch"))
    known = {
        name: engine if isinstance(x, ModuleType) and _of_engine(x) else x
        for name, x in function.__globals__.items()
    }
    made = FunctionType(
        function.__code__, known, function.__name__, function.__defaults__, function.__closure__
    )
    try:
        return names, tree_of(made(*(Symbol(ast.Name(name)) for name in names)))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"the function cannot be traced: {error}") from None


def _of_engine(module: ModuleType) -> bool:
    """Whether its functions are those of an engine: torch itself, or torch.nn.functional."""
    name = module.__name__.removesuffix(".nn.functional")
    return name in ENGINES
