"""What the derivative table says of a node, whichever engine made it: its rule, word for word, and
its forward function, which computes again a value that the graph has not kept."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from typing import Any

import numpy as np

from .. import derivatives
from ..primitive import Primitive

MODULES = [m for m in vars(derivatives).values() if inspect.ismodule(m)]
PRIMITIVES = {
    p.name: p for m in MODULES for p in vars(m).values() if isinstance(p, Primitive) and p.formulas
}


def inputs_of(name: str) -> list[str]:
    """The inputs of an operation as the table calls them; [] if it is not there.

    >>> inputs_of("MulBackward0"), inputs_of("MysteryBackward0")
    (['self', 'other'], [])
    """
    return list(PRIMITIVES[name].formulas) if name in PRIMITIVES else []


@cache
def rules() -> dict[str, dict[str, str]]:
    """For each node name the text of the formula of each input, read from the table's source.

    >>> rules()["PowBackward0"]
    {'self': 'g * (exponent * self ** (exponent - 1))'}
    """
    texts: dict[int, dict[str, str]] = {}
    for module in MODULES:
        for call in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(call, ast.Call) and (formulas := _declared(call)):
                texts[id(formulas)] = {
                    each.arg: _body(each.value) for each in call.keywords if each.arg in formulas
                }
    # One primitive under two names has one set of formulas.
    return {name: texts[id(p.formulas)] for name, p in PRIMITIVES.items()}


def _declared(call: ast.Call) -> dict[str, Any]:
    """The formulas of the primitive that a call declares: its first argument is a node's name."""
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    return PRIMITIVES[name].formulas if name in PRIMITIVES else {}


def _body(formula: ast.Lambda) -> str:
    usual = formula.body.body if isinstance(formula.body, ast.IfExp) else formula.body
    return ast.unparse(usual)


def replay(name: str, inputs: list[Any], constants: Any) -> np.ndarray | None:
    """The value of an operation on these arrays; None if it, or a constant, is not known.

    >>> replay("PowBackward0", [np.array([2.0, 3.0])], {"exponent": 3}.get)
    array([ 8., 27.])
    """
    if name not in PRIMITIVES or any(x is None for x in inputs):
        return None
    forward = PRIMITIVES[name].forward
    code = getattr(forward, "__code__", None)  # NumPy's own functions take no constants
    wanted = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount] if code else ()
    known = {each: constants(each) for each in wanted}
    if any(
        value is None and each not in (forward.__kwdefaults__ or ())
        for each, value in known.items()
    ):
        return None
    given = {each: value for each, value in known.items() if value is not None}
    with np.errstate(all="ignore"):
        return np.asarray(forward(*inputs, **given))
