"""Nested tuples, lists and dicts: their leaves in a row, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def children(x: Any) -> Sequence[Any] | None:
    """What a container holds; None for a leaf."""
    if isinstance(x, dict):
        return list(x.values())
    return x if isinstance(x, tuple | list) else None


def flatten(x: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves, and a function that builds the same structure from as many others.

    >>> leaves, build = flatten({"a": 1, "b": [2, (3,)]})
    >>> leaves, build([4, 5, 6])
    ([1, 2, 3], {'a': 4, 'b': [5, (6,)]})
    """
    parts = children(x)
    if parts is None:
        return [x], lambda leaves: leaves[0]
    flat = [flatten(part) for part in parts]

    def build(leaves: list[Any]) -> Any:
        made, at = [], 0
        for own, make in flat:
            made.append(make(leaves[at : at + len(own)]))
            at += len(own)
        return remake(x, made)

    return [leaf for own, _ in flat for leaf in own], build


def remake(x: Any, parts: list[Any]) -> Any:
    """A container like `x` with other parts."""
    if isinstance(x, dict):
        return type(x)(zip(x, parts, strict=True))
    return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)


def spread(prefix: Any, x: Any) -> list[Any] | None:
    """One value of `prefix` for each leaf of `x`, where `prefix` may stop short; None if it does
    not fit.

    >>> spread((0, None), ({"a": 1, "b": 2}, 3)), spread((0, 0), (1,))
    ([0, 0, None], None)
    """
    inner, parts = children(prefix), children(x)
    if inner is None:
        return [prefix] * len(flatten(x)[0])
    same = type(prefix) is type(x) and len(inner) == len(parts or ())
    if not same or (isinstance(x, dict) and prefix.keys() != x.keys()):
        return None
    pairs = zip(inner, parts, strict=True)
    if isinstance(x, dict):
        pairs = [(prefix[key], value) for key, value in x.items()]
    found = [spread(p, part) for p, part in pairs]
    return None if any(f is None for f in found) else [v for f in found for v in f]


def spec(x: Any) -> str:
    """The structure in torch's words.

    >>> spec((1, [2]))
    'TreeSpec(tuple, None, [*,\\n  TreeSpec(list, None, [*])])'
    """
    parts = children(x)
    if parts is None:
        return "*"
    context = list(x) if isinstance(x, dict) else None
    inner = ",\n  ".join(spec(part).replace("\n", "\n  ") for part in parts)
    return f"TreeSpec({type(x).__name__}, {context}, [{inner}])"
