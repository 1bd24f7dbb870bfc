"""The exercises of lesson 10: what nodes keep, a packing hook, tensors that are written over, and
the leaves of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np

from .exclusion import MOST, _engines
from .exercise import (
    Exercise,
    Mistake,
    Verdict,
    _amount,
    _Diagnosis,
    _fits,
    _has_ellipsis,
    _kind,
    _NotTried,
    _same,
    _told,
    show,
)
from .recording import Choices

# --------------------------------------------------------------------------- who keeps the memory


@dataclass(eq=False)
class Amounts(Exercise):
    """A number is asked of each of several things. A mistake `gives` all of them, or the place of
    one and its wrong number, None for any."""

    asked: tuple[str, ...] = ()

    def _diagnose(self, you: np.ndarray, case: dict[str, Any]) -> str:
        if not _fits(you, np.array(self.right)):
            return f"The answer is {len(self.right)} numbers; this is {_amount(you)}."
        you = np.squeeze(you)
        if _same(you, np.array(self.right)):
            return ""
        wrong = int(np.argmax(you != self.right))
        for mistake in self.mistakes:
            if len(mistake.gives) == len(self.right):
                if _same(you, np.array(mistake.gives)):
                    return mistake.says
            elif mistake.gives[0] == wrong and mistake.gives[1] in (None, you[wrong]):
                return f"{self.asked[wrong]}: {mistake.says.format(you=show(you[wrong]))}"
        raise AssertionError(f"nothing is said about {self.asked[wrong]}")


keeps = Amounts(
    "1 · who keeps the memory?",
    right=(0, 8000, 4000, 4000, 4000, 0),
    why="Kept is what the wanted gradients are multiplied by, and each piece counts once.",
    asked=("x + w", "x * w", "x * c", "x * x", "x.exp()", "x.sum()"),
    mistakes=(
        Mistake(
            (0, 2000, 1000, 1000, 1000, 0),
            "Those are numbers, not bytes. A float32 number takes 4 bytes.",
        ),
        Mistake(
            (0, 16000, 8000, 8000, 8000, 0),
            "That is for float64. A float32 number takes 4 bytes.",
        ),
        Mistake((0, 8, 4, 4, 4, 0), "Those are thousands of bytes. Write out the zeros."),
        Mistake(
            (8000, 8000, 8000, 8000, 4000, 4000),
            "Those are all the inputs. A node keeps what its gradients need, and no more.",
        ),
        Mistake(
            (0, None),
            "a sum sends what came in to both inputs as it is. For that it reads neither.",
        ),
        Mistake((1, 4000), "both inputs want a gradient, and each one's is made with the other."),
        Mistake((1, 0), "the gradient of each factor is multiplied by the other factor."),
        Mistake((1, None), "how many tensors are read on the way back, at 4,000 bytes each?"),
        Mistake(
            (2, 8000),
            "c requires no gradient, so nobody will ask for the one that x would be needed for.",
        ),
        Mistake((2, 0), "x wants a gradient, and it is multiplied by c."),
        Mistake((2, None), "which of the two is read to make the gradient of x?"),
        Mistake(
            (3, 8000),
            "it is kept as both factors, and it is one tensor: a piece of memory counts once.",
        ),
        Mistake((3, 0), "the gradient of each factor is multiplied by the other, here x itself."),
        Mistake((3, None), "one tensor of 1,000 numbers is read. How large is it?"),
        Mistake((4, 0), "the derivative of exp changes with x, so something must be read."),
        Mistake((4, 8000), "the derivative of exp is its result. With that, x is not needed too."),
        Mistake((4, None), "one tensor of 1,000 numbers is read. How large is it?"),
        Mistake((5, 4000), "a sum needs the shape of x, to spread the gradient. A shape is no"
                " tensor."),
        Mistake((5, 4), "the result is one number, and the gradient does not depend on it."),
        Mistake((5, None), "each element receives what came in. No tensor is read for that."),
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------- a packing hook

ALLOWED = 0.01  # how far a gradient may be off, of the largest


class Packing(Exercise):
    """The answer is a pair of functions, `pack` and `unpack`, tried as hooks on a small program."""

    def _examine(self, answer: Any) -> None:
        pack, unpack = _pair(answer)
        failures = []
        for engine in _engines():
            try:
                _try_hooks(engine, pack, unpack)
                return
            except (_NotTried, _Diagnosis):
                raise
            except Exception as error:
                failures.append(error)
        told = f"Used as hooks they raised {_told(failures[0])}"
        if "1 required positional argument" in told:
            told += " The class is used without an instance: no self, one argument."
        raise _Diagnosis(told)


def _pair(answer: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if answer is None or answer is ...:
        raise _NotTried
    pair = answer if isinstance(answer, tuple | list) else None
    if pair is None:
        pair = [getattr(answer, name, None) for name in ("pack", "unpack")]
    if len(pair) != 2 or not all(map(callable, pair)):
        raise _Diagnosis("Hand over the class, with the two functions pack and unpack in it.")
    return pair[0], pair[1]


def _try_hooks(engine: ModuleType, pack: Any, unpack: Any) -> None:
    before: list[int] = []
    after: list[int] = []
    trouble: list[Exception] = []

    def noting(work: Callable[[], Any]) -> Any:
        """An engine may wrap what a hook raises; keep it as it was."""
        try:
            return work()
        except Exception as error:
            trouble.append(error)
            raise

    def packing(t: Any) -> Any:
        def work() -> Any:
            given = t.detach().clone()
            packed = pack(t)
            if packed is None:
                raise _Diagnosis("pack returned None. End it with return.")
            if _has_ellipsis(packed):
                raise _NotTried
            if not engine.equal(t.detach(), given):
                raise _Diagnosis("pack has changed the tensor itself. Make a new one.")
            before.append(_size(t))
            after.append(_size(packed))
            return packed, given

        return noting(work)

    def unpacking(pair: Any) -> Any:
        def work() -> Any:
            packed, given = pair
            t = unpack(packed)
            if t is None:
                raise _Diagnosis("unpack returned None. End it with return.")
            if _has_ellipsis(t):
                raise _NotTried
            _compare(engine, t, given)
            return t

        return noting(work)

    waves = [np.sin(np.arange(96.0) * k).astype(np.float32) for k in (1, 2)]
    x = engine.tensor((2 * waves[0].reshape(12, 8)).tolist(), requires_grad=True)
    W = engine.tensor(waves[1].reshape(8, 12).tolist(), requires_grad=True)
    try:
        with engine.autograd.graph.saved_tensors_hooks(packing, unpacking):
            y = ((x @ W).tanh() * (x @ W)).sum()
        share = sum(after) / sum(before)
        if 0 < share <= 0.55:
            y.backward()
    except Exception:
        raise trouble[0] if trouble else _Diagnosis("The backward pass failed.") from None
    if not share:
        raise _Diagnosis(
            "What pack returns holds none of the numbers: they are still in memory elsewhere."
        )
    if share > 1.01:
        raise _Diagnosis(f"What pack returns is larger: {sum(after)} bytes for {sum(before)}.")
    if share > 0.99:
        raise _Diagnosis(
            f"Nothing is saved: {sum(before)} bytes came in, and {sum(after)} are kept."
            " Keep each number in fewer bytes."
        )
    if share > 0.55:
        raise _Diagnosis(f"Of {sum(before)} bytes {sum(after)} are kept. Half is asked for.")


def _compare(engine: ModuleType, t: Any, given: Any) -> None:
    """Whether what comes back is near enough to what was saved."""
    if not engine.is_tensor(t):
        if hasattr(t, "grad_fn"):  # of the other engine, which comes next
            raise TypeError("unpack returns a tensor of another engine")
        raise _Diagnosis(f"unpack must return a tensor; this is {_kind(t)}.")
    if tuple(t.shape) != tuple(given.shape):
        raise _Diagnosis(
            f"The shape is not the same: {list(given.shape)} was saved, and unpack returns"
            f" {list(t.shape)}."
        )
    if t.dtype != given.dtype:
        names = [str(dtype).rpartition(".")[2] for dtype in (t.dtype, given.dtype)]
        raise _Diagnosis(f"unpack returns {names[0]}; what was saved is {names[1]}. Turn it back.")
    was, now = given.detach().numpy(), t.detach().numpy()
    if np.isnan(now).any() or np.abs(now - was).max() > ALLOWED * np.abs(was).max():
        at = np.unravel_index(np.argmax(np.abs(now - was)), was.shape)
        raise _Diagnosis(
            f"The numbers do not come back: {show(was[at])} was saved, {show(now[at])} returned."
        )


def _size(packed: Any) -> int:
    """The bytes of what a pack hook returned."""
    if isinstance(packed, bytes | bytearray | str):  # text: the name of a file
        return len(packed)
    if isinstance(packed, BytesIO):
        return packed.getbuffer().nbytes
    if isinstance(packed, Mapping):
        return sum(map(_size, packed.values()))
    if isinstance(packed, list | tuple):
        return sum(map(_size, packed))
    if hasattr(packed, "element_size"):
        return packed.numel() * packed.element_size()
    return int(getattr(packed, "nbytes", 8 if isinstance(packed, float) else 0))


packing = Packing(
    "2 · a packing hook",
    right=None,  # it is used
    why="Half the bytes are kept, and what comes back is near enough.",
    mistakes=(),
)

# ------------------------------------------------------------------------------------ written over

MEANS = {
    "raises": "raise", "error": "raise", "it raises": "raise", "runtimeerror": "raise",
    "correct": "right", "fine": "right", "ok": "right", "silent": "wrong",
}  # fmt: skip


class Outcomes(Choices):
    """Choices that also know other forms of their words."""

    def _examine(self, answer: Any) -> None:
        if isinstance(answer, dict):
            answer = list(answer.values())
        if isinstance(answer, list | tuple):
            plain = [each.strip().casefold() if isinstance(each, str) else each for each in answer]
            answer = [MEANS.get(each, each) if isinstance(each, str) else each for each in plain]
        super()._examine(answer)


written = Outcomes(
    "3 · written over",
    right=("right", "raise", "raise", "wrong", "right"),
    why="It raises where something saved was written to, unless the writing is not counted.",
    asked=(
        "x.sin(), then y.mul_(2)",
        "x.tanh(), then y.mul_(2)",
        "h.sin(), then h.mul_(2)",
        "x.tanh(), then y.data.mul_(2)",
        "h.clone(), then h.mul_(2)",
    ),
    words=("right", "raise", "wrong"),
    mistakes=(
        Mistake(
            (0, "raise"),
            "y is written to, and who has saved y? The derivative of the sine reads x.",
        ),
        Mistake(
            (0, "wrong"),
            "the doubling is an operation like others: it is recorded, and nothing saved is lost.",
        ),
        Mistake(
            (1, "right"),
            "the derivative of tanh is made from its result, and that was written over.",
        ),
        Mistake(
            (1, "wrong"),
            "mul_ is counted. The node of tanh finds another version than it has written down.",
        ),
        Mistake((2, "right"), "the sine has saved its input h, and h was written over."),
        Mistake(
            (2, "wrong"),
            "mul_ is counted. The node of the sine finds another version than it has written down.",
        ),
        Mistake(
            (3, "right"),
            "tanh has saved its result, and the numbers in it have been doubled. Which derivative"
            " will it compute?",
        ),
        Mistake(
            (3, "raise"),
            "an error needs a version that does not fit. Is writing through .data counted?",
        ),
        Mistake((4, "raise"), "h is written to, and who has saved h? A copy reads nothing."),
        Mistake(
            (4, "wrong"),
            "y is a copy, made before. The gradient of a copy is what came in, whatever h is now.",
        ),
    ),
)

# ------------------------------------------------------------------------------------- the leaves

DEPTH = 3000  # of a chain, more than Python's recursion allows
DOUBLINGS = 40  # each value used twice by the next: 2⁴⁰ ways


def _graphs(engine: ModuleType) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Graphs to walk: for each its root, and its leaves by name."""

    def leaf(value: float) -> Any:
        return engine.tensor(value, requires_grad=True)

    a, b, c, d = leaf(2.0), leaf(3.0), leaf(4.0), leaf(1.0)
    once = (a * b + 5) * engine.tensor(2.0)
    made = {"(a · b + 5) · 2": (once, {"a": a, "b": b})}
    p = a * b
    made["p · c + p², with p = a · b"] = (p * c + p**2, {"a": a, "b": b, "c": c})
    made["d + the stack of a, b, c"] = (d + engine.stack([a, b, c]), dict(a=a, b=b, c=c, d=d))
    deep = a
    for _ in range(DEPTH):
        deep = deep + 1.0
    made[f"a chain of {DEPTH:,} sums"] = (deep, {"a": a})
    many = b
    for _ in range(DOUBLINGS):
        many = many + many
    made[f"{DOUBLINGS} values, each used twice by the next"] = (many, {"b": b})
    return made


class Leaves(Exercise):
    """The answer is a function from a tensor to its leaves."""

    def check(self, answer: Any) -> Verdict:
        verdict = super().check(answer)
        if "still running" in verdict.text:
            more = " A node that is reached in several ways is visited for each of them: remember"
            return replace(verdict, text=f"{verdict.text}{more} which you have seen.")
        return verdict

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        engine = next(_engines())  # the walk is the same on any
        for words, (root, names) in _graphs(engine).items():
            self._try(answer, engine, words, root, names)

    def _try(
        self, answer: Any, engine: ModuleType, words: str, root: Any, names: dict[str, Any]
    ) -> None:
        try:
            got = answer(root)
        except RecursionError:
            raise _Diagnosis(
                f"For {words} the function calls itself too often for Python. Keep the nodes that"
                " are still to be visited in a list."
            ) from None
        except Exception as error:
            raise _Diagnosis(f"For {words} the function raised {_told(error)}") from None
        if got is None:
            raise _Diagnosis("The function returned None. End it with return.")
        if _has_ellipsis(got):
            raise _NotTried
        if engine.is_tensor(got) or not hasattr(got, "__iter__"):
            raise _Diagnosis(f"Return a list of leaves; this is {_kind(got)}.")
        self._look_at(list(islice(got, MOST)), engine, f"For {words}", names)

    def _look_at(
        self, got: list[Any], engine: ModuleType, start: str, names: dict[str, Any]
    ) -> None:
        for each in got:
            if each is None:
                raise _Diagnosis(f"{start} there is a None in the list: a constant, not a leaf.")
            if hasattr(each, "next_functions"):
                raise _Diagnosis("The list holds nodes. A leaf's node knows its tensor: variable.")
            if not engine.is_tensor(each):
                raise _Diagnosis(f"The list holds something that is no tensor: {_kind(each)}.")
            if not each.is_leaf:
                raise _Diagnosis(f"{start} the list holds an intermediate, too.")
            if all(each is not leaf for leaf in names.values()):
                raise _Diagnosis(f"{start} the list holds a tensor that is not in the graph.")
        found = [name for each in got for name, leaf in names.items() if leaf is each]
        missing = [name for name in names if name not in found]
        if missing:
            raise _Diagnosis(
                f"{start}, {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
            )
        if len(found) > len(set(found)):
            twice = next(name for name in found if found.count(name) > 1)
            raise _Diagnosis(f"{start}, {twice} is in the list {found.count(twice)} times.")


leaves = Leaves(
    "4 · find the leaves",
    right=None,  # the graphs are walked
    why="Each leaf once, however deep it lies and in however many ways it is reached.",
    mistakes=(),
)
