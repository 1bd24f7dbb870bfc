"""Expressions that a reader types, `3*a**3 - b**2`, computed on given tensors.

The text is parsed, and only what is listed here is computed: arithmetic, a few functions, numbers
and the given names. Nothing is ever handed to `eval`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from typing import Any

LONGEST, EXPONENT, MOST = 200, 20, 24  # characters; the largest exponent; operations
OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.MatMult: operator.matmul,
}  # fmt: skip
ONE = (
    "exp", "log", "sin", "cos", "tanh", "relu", "sigmoid", "sqrt", "abs", "sum", "mean", "detach",
)  # fmt: skip
FUNCTIONS = dict.fromkeys(ONE, 1) | dict.fromkeys(("maximum", "minimum"), 2)  # their inputs


def parsed(text: str) -> ast.expr:
    """The tree of an expression, of which nothing has been computed: who walks it lists what it
    computes and refuses the rest.

    Raises:
        ValueError: the text is no expression, or has more than 200 characters.

    >>> ast.dump(parsed(" x "))
    "Name(id='x', ctx=Load())"
    """
    if not isinstance(text, str):
        raise ValueError('give the expression as text, "a * b"')
    if len(text) > LONGEST:
        raise ValueError(f"an expression has at most {LONGEST} characters, not {len(text)}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f'"{text.strip()[:40]}" is not a complete expression') from None


class Typed:
    """A typed expression and what it gave.

    Args:
        text: the expression.
        names: the tensors it may use, all of one engine.
        engine: the module that the tensors belong to.

    Attributes:
        result: a tensor, or a number if no tensor was used.

    Raises:
        ValueError: the text is not such an expression, in plain words.

    >>> import autogradlab
    >>> a = autogradlab.tensor(2.0)
    >>> Typed("3*a**3 - 1", {"a": a}, autogradlab).result
    tensor(23.)
    >>> Typed("a.__class__", {"a": a}, autogradlab)
    Traceback (most recent call last):
        ...
    ValueError: "a.__class__" is not allowed here
    """

    def __init__(self, text: str, names: Mapping[str, Any], engine: Any) -> None:
        tree = parsed(text)
        self.names, self.engine = names, engine
        self._done: list[tuple[ast.expr, Any]] = []
        try:
            with engine.enable_grad():
                self.result = self._value(tree)
        except ArithmeticError as error:
            raise ValueError(f"the numbers cannot be computed: {error}") from None
        except (RuntimeError, TypeError) as error:  # shapes that do not fit, for example
            raise ValueError(str(error).partition("\n")[0]) from None

    @property
    def done(self) -> list[tuple[str, Any]]:
        """For each operation that gave a tensor, in the order they ran, its text and its result.
        (The text is made only when it is asked for: that takes longer than to compute.)"""
        return [(ast.unparse(node), value) for node, value in self._done]

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            if abs(node.value) > 1e6:
                raise ValueError("a number is at most 1,000,000 here")
            return node.value
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._made(node, -self._value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return self._made(node, self._binary(node))
        if isinstance(node, ast.Call) and not node.keywords:
            return self._made(node, self._call(node))
        raise ValueError(f'"{ast.unparse(node)}" is not allowed here')

    def _named(self, name: str) -> Any:
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            raise ValueError(f'there is no tensor called "{name}" here; there is {known}')
        return self.names[name]

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        plain = isinstance(right, int | float)
        if isinstance(node.op, ast.Pow) and plain and abs(right) > EXPONENT:
            raise ValueError(f"an exponent is at most {EXPONENT} here")
        if isinstance(left, int | float) and plain:
            left, right = float(left), float(right)  # whole numbers could grow without end
        made = OPERATORS[type(node.op)](left, right)
        if isinstance(made, complex):
            raise ValueError(f'"{ast.unparse(node)}" is not a real number')
        return made

    def _call(self, node: ast.Call) -> Any:
        """exp(a), a.exp() or torch.exp(a)."""
        inputs, where = list(node.args), node.func
        if isinstance(where, ast.Attribute):
            name = where.attr
            if not (isinstance(where.value, ast.Name) and where.value.id == "torch"):
                inputs.insert(0, where.value)
        else:
            name = where.id if isinstance(where, ast.Name) else ""
        if FUNCTIONS.get(name) != len(inputs):
            raise ValueError(
                f'"{ast.unparse(node)}" is not allowed here; functions are {", ".join(FUNCTIONS)}'
            )
        values = [self._value(each) for each in inputs]
        values = [x if hasattr(x, "grad_fn") else self.engine.tensor(float(x)) for x in values]
        return getattr(values[0], name)(*values[1:])

    def _made(self, node: ast.expr, value: Any) -> Any:
        if hasattr(value, "grad_fn"):
            self._done.append((node, value))
        if len(self._done) > MOST:
            raise ValueError(f"an expression has at most {MOST} operations here")
        return value
