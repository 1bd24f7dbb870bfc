"""`einsum`: sums of products written as subscripts, by torch's decomposition into `bmm`.

Each operand is brought to the dimensions "output, then summed": diagonals for repeated subscripts,
size 1 for missing ones. Then two by two, from the left, they are multiplied and summed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any

from ..tensor import Tensor
from .elementwise import mul
from .products import bmm
from .reductions import sum as sum_
from .shapes import diagonal, movedim, permute, reshape, unsqueeze, view

# What torch and Tensor offer under the same name, and with a trailing _ in place.
FUNCTIONS = """
einsum
"""
METHODS = IN_PLACE = ""

REST = "..."


def einsum(*args: Any) -> Tensor:
    """The sum of products that an equation such as "ij,jk->ik" describes.

    Args:
        args: the equation and the tensors, or each tensor followed by its list of subscripts
            (numbers from 0 to 51), at the end those of the result.

    >>> from autogradlab import einsum, tensor
    >>> einsum("ij,j->i", tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    if isinstance(args[0], Tensor):
        lists = ["".join(map(letter, subscripts)) for subscripts in args[1::2]]
        equation = ",".join(lists)
        if len(args) % 2:
            equation += "->" + "".join(map(letter, args[-1]))
        operands = args[:-1:2] if len(args) % 2 else args[::2]
    else:
        equation, *operands = args
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = operands[0]
    inputs, output, order, rest = parsed(equation, operands)
    aligned = align(operands, inputs, order, rest)
    return contract(aligned, len(output), len(order))


def letter(subscript: Any) -> str:
    """Subscript numbers are A to Z, then a to z."""
    if subscript is ...:
        return REST
    if not 0 <= subscript < 52:
        raise ValueError(
            "einsum(): subscript in subscript list is not within the valid range [0, 52)"
        )
    return chr(ord("A") + subscript if subscript < 26 else ord("a") + subscript - 26)


Label = str | tuple[str, int]  # a letter, or one of the dimensions that "..." stands for


def tokens(text: str, start: int, whose: str, twice: str) -> list[str]:
    """The letters of a term, and "..." for an ellipsis."""
    out: list[str] = []
    i = 0
    while i < len(text):
        if text[i] == ".":
            if REST in out:
                raise RuntimeError(f"einsum(): found '.' for {whose} {twice}")
            if text[i : i + 3] != REST:
                raise RuntimeError(
                    f"einsum(): found '.' for {whose} that is not part of any ellipsis"
                    + " (...)" * (whose == "output")
                )
            out.append(REST)
            i += 2
        elif text[i] != " ":
            if not (text[i].isascii() and text[i].isalpha()):
                raise RuntimeError(
                    f"einsum(): invalid subscript given at index {start + i} in the equation "
                    "string, subscripts must be in [a-zA-Z]"
                )
            out.append(text[i])
        i += 1
    return out


def parsed(
    equation: str, operands: Sequence[Tensor]
) -> tuple[list[list[Label]], list[Label], list[Label], int]:
    """The labels of the dimensions of each operand and of the output; all, in the common order."""
    left, arrow, right = equation.partition("->")
    terms, start = [], 0
    for i, text in enumerate(left.split(",")):
        twice = "for which an ellipsis was already found"
        terms.append(tokens(text, start, f"operand {i}", twice))
        start += len(text) + 1
    if len(terms) != len(operands):
        few = "fewer" if len(operands) < len(terms) else "more"
        raise RuntimeError(f"einsum(): {few} operands were provided than specified in the equation")
    rest, inputs = 0, []
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        n = len(term) - (REST in term)
        if n > x.ndim or (REST not in term and n < x.ndim):
            does = "is more than" if REST in term else "does not match"
            tail = "" if REST in term else " and no ellipsis was given"
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({n}) {does} the number of "
                f"dimensions ({x.ndim}) for operand {i}{tail}"
            )
        rest = max(rest, x.ndim - n) if REST in term else rest
    for term, x in zip(terms, operands, strict=True):
        covered = x.ndim - len(term) + 1
        inputs.append(spelled(term, range(rest - covered, rest)))
    count = Counter(label for term in terms for label in term if label != REST)
    if arrow:
        output = spelled(output_tokens(right, len(left) + 2, count), range(rest))
    else:
        alone = sorted(label for label, n in count.items() if n == 1)
        output = spelled([REST, *alone], range(rest))
    summed = [label for label in spelled([REST], range(rest)) if label not in output]
    summed += sorted(label for label in count if label not in output)
    return inputs, output, output + summed, rest


def output_tokens(text: str, start: int, count: Counter[str]) -> list[str]:
    found = tokens(text, start, "output", "but an ellipsis (...) was already found")
    for i, label in enumerate(found):
        if label == REST:
            continue
        if not count[label] or label in found[:i]:
            why = "appears more than once in the output"
            if not count[label]:
                why = "does not appear in the equation for any input operand"
            raise RuntimeError(f"einsum(): output subscript {label} {why}")
    return found


def spelled(term: Sequence[str], covered: range) -> list[Label]:
    """A term with "..." replaced by the dimensions it covers."""
    return [
        one for label in term for one in ([(REST, i) for i in covered] if label == REST else label)
    ]


def align(
    operands: Sequence[Tensor], inputs: list[list[Label]], order: list[Label], rest: int
) -> list[Tensor]:
    """The operands with all dimensions in the common order."""
    sizes: dict[Label, int] = {}
    out = []
    for number, (x, labels) in enumerate(zip(operands, inputs, strict=True)):
        at: dict[Label, int] = {}
        dim = 0
        for label in labels:
            n = x.shape[dim]
            if label in at:
                if n != x.shape[at[label]]:
                    raise RuntimeError(
                        f"einsum(): subscript {label} is repeated for operand {number} but the "
                        f"sizes don't match, {n} != {x.shape[at[label]]}"
                    )
                x = movedim(diagonal(x, 0, at[label], dim), -1, at[label])
                continue
            known = sizes.get(label, 1)
            if n != 1 and known not in (1, n):
                raise RuntimeError(size_error(label, dim, number, n, known))
            sizes[label] = n if known == 1 else known
            at[label] = dim
            dim += 1
        for label in order:
            if label not in at:
                x, at[label] = unsqueeze(x, dim), dim
                dim += 1
        out.append(permute(x, [at[label] for label in order]))
    return out


def size_error(label: Label, dim: int, number: int, n: int, known: int) -> str:
    if isinstance(label, tuple):
        return (
            f"einsum(): dimension {dim} covered by ellipsis in operand {number}has size {n} which "
            f"does not broadcast with previously seen ellipsis with size {known} for the "
            "respective dimension"
        )
    return (
        f"einsum(): subscript {label} has size {n} for operand {number} which does not broadcast "
        f"with previously seen size {known}"
    )


def contract(operands: list[Tensor], kept: int, ndim: int) -> Tensor:
    """Multiply from left to right, and sum what no later operand needs over the last dimensions."""
    if len(operands) == 1:
        return sum_(operands[0], tuple(range(kept, ndim))) if ndim > kept else operands[0]
    a, *others = operands
    for k, b in enumerate(others):
        later = others[k + 1 :]
        done = [i for i in range(kept, ndim) if all(x.shape[i] == 1 for x in later)]
        both = [i for i in done if a.shape[i] != 1 and b.shape[i] != 1]
        a, b = (
            sum_(x, only, True)
            if (only := [i for i in done if x.shape[i] != 1 and i not in both])
            else x
            for x in (a, b)
        )
        a = sum_of_products(a, b, both)
    return view(a, a.shape[:kept]) if ndim > kept else a


def sum_of_products(a: Tensor, b: Tensor, summed: list[int]) -> Tensor:
    """(a * b).sum(summed, keepdim=True) as one `bmm`."""
    if not summed:
        return mul(a, b)
    free = [i for i in range(a.ndim) if i not in summed]
    batch = [i for i in free if a.shape[i] != 1 and b.shape[i] != 1]
    left = [i for i in free if a.shape[i] != 1 and i not in batch]
    right = [i for i in free if i not in batch and i not in left]
    if left and right and right[-1] < left[0]:  # then the result needs no permuting
        a, b, left, right = b, a, right, left
    order = batch + left + summed + right
    count, rows, size = (prod(a.shape[i] for i in dims) for dims in (batch, left, summed))
    columns = prod(b.shape[i] for i in right)
    x = reshape(permute(a, order), count, rows, size)
    y = reshape(permute(b, batch + summed + right + left), count, size, columns)
    sizes = [1 if i in summed else b.shape[i] if i in right else a.shape[i] for i in order]
    out = view(bmm(x, y), sizes)
    return permute(out, [order.index(i) for i in range(a.ndim)])
