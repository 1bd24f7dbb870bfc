"""What an exercise is, and how an answer is read, run and diagnosed.

An exercise is a question, its right answer, and the plausible wrong ones, each with the words that
help the one who gave it. The exercises themselves live in one module per lesson beside this one."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from numbers import Real
from types import ModuleType
from typing import Any

import numpy as np

from ..graphs.numbers import number

SECONDS = 5.0  # an answer that runs longer is stopped
PLACES = ("first", "second", "third")
MARKS = {"right": "#009E73", "not yet": "#CC79A7", "not tried": "#848C95"}  # same in both themes


@dataclass(frozen=True)
class Verdict:
    """What the learner is told: one line, shown as text and as HTML.

    >>> Verdict("right", "✓ Right.")
    ✓ Right.
    """

    state: str  # a key of MARKS
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        bar = f"border-left: 4px solid {MARKS[self.state]}; padding: 4px 12px"
        return f'<div role="status" style="{bar}">{escape(self.text)}</div>'


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer, or a function of the case's values that gives it, and what to tell
    the learner: `{you}` stands for their answer, `{a}` for the case's a. Never the solution."""

    gives: Any
    says: str


@dataclass(eq=False)
class Exercise:
    """A question whose answer is one number, a list of numbers, or a function of the case's values.

    >>> double = Exercise("Double 3", right=6, why="3 + 3 = 6.", mistakes=(
    ...     Mistake(9, "That is the square. {you} is 3 · 3."),))
    >>> double.check(...)
    not tried yet
    >>> double.check(9)
    Not yet. That is the square. 9 is 3 · 3.
    >>> double.check([6.0])
    ✓ Right. 3 + 3 = 6.
    """

    title: str
    right: Any  # the answer, or a function of the case's values that gives it
    why: str  # said with the ✓
    mistakes: tuple[Mistake, ...]
    cases: tuple[dict[str, Any], ...] = ({},)  # what a function answer is called with, in turn
    accepts: Callable[[np.ndarray], bool] | None = None  # where more than one answer is right
    otherwise: Callable[[np.ndarray], str] | None = None  # for a wrong answer nobody foresaw
    solved: bool = field(default=False, init=False)

    def check(self, answer: Any) -> Verdict:
        """Say in one line whether `answer` is right and, if not, what went wrong. Never raises."""
        try:
            _in_time(lambda: self._examine(answer))
        except _NotTried:
            return Verdict("not tried", "not tried yet")
        except _Diagnosis as diagnosis:
            return Verdict("not yet", f"Not yet. {diagnosis}")
        except Exception as error:
            return Verdict("not yet", f"Not yet. Reading the answer raised {_told(error)}")
        self.solved = True
        return Verdict("right", f"✓ Right. {self.why}")

    def _examine(self, answer: Any) -> None:
        """Return when the answer is right for every case; else raise what to say about the first
        case that it gets wrong."""
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if self.cases[0] and not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        if callable(answer) and not self.cases[0]:
            raise _Diagnosis("This is a function. Call it, and hand over the numbers it returns.")
        for case in self.cases:
            where = f"For {_listing(case)}: " if case else ""
            if diagnosis := self._diagnose(_read(_call(answer, case) if case else answer), case):
                raise _Diagnosis(where + diagnosis)

    def _diagnose(self, you: np.ndarray, case: dict[str, Any]) -> str:
        right = _value(self.right, case)
        if self.accepts(you) if self.accepts and _fits(you, right) else _same(you, right):
            return ""
        for mistake in self.mistakes:
            if _same(you, _value(mistake.gives, case)):
                shown = {name: show(_read(value)) for name, value in case.items()}
                return mistake.says.format(you=show(you), **shown)
        if not _fits(you, right):
            return f"The answer is {_amount(right)}; this is {_amount(you)}."
        if not np.isfinite(you).all():
            return f"{show(you)} is not finite; the answer is."
        if self.otherwise:
            return self.otherwise(you)
        return (_one_right(you, right) if not case else "") or _near(you, right)


def _one_right(you: np.ndarray, right: np.ndarray) -> str:
    """Which of several numbers is right, if it is one."""
    parts = zip(PLACES, np.ravel(you), np.ravel(right), strict=False)
    fine = [place for place, a, b in parts if np.isclose(a, b, 1e-2, 1e-6)]
    if 1 < you.size <= len(PLACES) and len(fine) == 1:
        return f"{show(you)}: only the {fine[0]} of these is right. Open hint 1."
    return ""


def _near(you: np.ndarray, right: np.ndarray) -> str:
    """What is wrong with an answer that nobody foresaw: how far off it is, if not much."""
    if _same(abs(you), abs(right)):
        return f"The size of {show(you)} is right, a sign is not. Does the result grow or shrink?"
    if np.allclose(np.squeeze(you), np.squeeze(right), 1e-2, 1e-6):
        return "That is near, but not it. Was it rounded, or measured with a nudge?"
    return f"{show(you)} is not it. Open hint 1."


def progress(exercises: ModuleType) -> Verdict:
    """How many exercises of a lesson are solved in this kernel, and which are open.

    >>> from autogradlab.lessons import start_here
    >>> progress(start_here)
    0 of 3 exercises right · open: 1, 2, 3
    """
    every = [each for each in vars(exercises).values() if isinstance(each, Exercise)]
    still = [each.title.partition(" ")[0] for each in every if not each.solved]
    text = f"{len(every) - len(still)} of {len(every)} exercises right"
    if still:
        return Verdict("not tried", f"{text} · open: {', '.join(still)}")
    return Verdict("right", f"✓ {text}")


def show(values: np.ndarray) -> str:
    """Numbers as a sentence shows them, at most six in full.

    >>> show(np.array([[2.0, -0.5]]))
    '[[2, −0.5]]'
    """
    if values.ndim == 0:
        return number(float(values))
    if values.size > 6:
        flat = values.ravel()
        return f"[{number(flat[0])}, {number(flat[1])}, …, {number(flat[-1])}]"
    return "[" + ", ".join(show(each) for each in values) + "]"


class _NotTried(Exception):
    """The stub is as the lesson left it."""


class _Diagnosis(Exception):
    """Its text is what the learner is told."""


class _Stopped(BaseException):
    """Ends an answer that runs on; not an Exception, so that no `except Exception` holds it."""


def _in_time(work: Callable[[], Any]) -> None:
    """Run `work` in a thread of its own, raise what it raised, and stop it after SECONDS. On a busy
    machine an answer that gets little of the processor may take as long in the processor's time."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with np.errstate(all="ignore"):
                work()
        except BaseException as error:  # a learner's sys.exit() included
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    since, spent = time.monotonic(), time.process_time()
    thread.start()
    thread.join(SECONDS)
    while thread.is_alive():
        waited, busy = time.monotonic() - since, time.process_time() - spent
        if busy >= SECONDS or busy < waited / 10 or waited >= 6 * SECONDS:
            break
        thread.join(SECONDS / 10)
    if thread.is_alive():
        thread_id = ctypes.c_ulong(thread.ident or 0)
        for _ in range(5):  # where it is swallowed once, by a callback say, it comes again
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(_Stopped))
            thread.join(0.1)
            if not thread.is_alive():
                break
        raise _Diagnosis(f"The answer was still running after {SECONDS:g} s and was stopped.")
    for error in raised:
        raise error if isinstance(error, Exception) else _Diagnosis(f"It raised {_told(error)}")


def _call(function: Callable[..., Any], case: dict[str, Any]) -> Any:
    """Call a function answer with tensors of the engines present, or with plain numbers: whichever
    it was written for. If it fails on all of them, the first failure is the one to tell."""
    failures = []
    for wrap in _wrappers():
        try:
            got = function(*(wrap(value) for value in case.values()))
        except Exception as error:
            failures.append(error)
            continue
        if got is None:
            raise _Diagnosis(
                f"For {_listing(case)} the function returned None. End it with return."
            )
        if _has_ellipsis(got):
            raise _NotTried
        return got
    raise _Diagnosis(f"For {_listing(case)} the function raised {_told(failures[0])}")


def _value(known: Any, case: dict[str, Any]) -> np.ndarray:
    return _read(known(**case) if callable(known) else known)


def _wrappers() -> Iterator[Callable[[Any], Any]]:
    for engine in ("autogradlab", "torch"):
        if engine in sys.modules:
            yield sys.modules[engine].tensor
    yield lambda value: np.array(value) if isinstance(value, Sequence) else value


def _read(answer: Any, inside: bool = False) -> np.ndarray:
    """An answer as a float64 array: from numbers, lists, tuples, arrays, tensors, or a mixture;
    inside a list True and False count as 1 and 0."""
    if isinstance(answer, list | tuple):
        parts = [_read(each, inside=True) for each in answer]
        if len({each.shape for each in parts}) > 1:
            raise _Diagnosis("The parts of the answer have different lengths.")
        return np.stack(parts) if parts else np.empty(0)
    if isinstance(answer, Real) and not isinstance(answer, bool):
        array = np.asarray(float(answer))
    else:
        array = np.asarray(answer.detach().numpy() if hasattr(answer, "detach") else answer)
    if array.dtype.kind not in ("iufb" if inside or array.ndim else "iuf"):
        kind = str(array) if array.dtype.kind == "b" else _kind(answer)
        raise _Diagnosis(f"The answer is made of numbers; this is {kind}.")
    return array.astype(np.float64)


def _kind(answer: Any) -> str:
    if isinstance(answer, str):
        return f"text, {answer[:20]!r}"
    if answer is None:
        return "None"
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def _told(error: BaseException) -> str:
    text = str(error).partition("\n")[0][:160]
    if "bitwise_xor" in text or "for ^:" in text:
        text += " (in Python a power is written **, not ^)"
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."


def _has_ellipsis(answer: Any) -> bool:
    return answer is ... or (isinstance(answer, list | tuple) and any(e is ... for e in answer))


def _fits(you: np.ndarray, right: np.ndarray) -> bool:
    return np.squeeze(you).shape == np.squeeze(right).shape


def _same(you: np.ndarray, other: np.ndarray) -> bool:
    return _fits(you, other) and np.allclose(np.squeeze(you), np.squeeze(other), 1e-4, 1e-6)


def _amount(values: np.ndarray) -> str:
    if values.ndim < 2:
        return "1 number" if values.size == 1 else f"{values.size} numbers"
    return " × ".join(map(str, values.shape)) + " numbers"


def _listing(case: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {show(_read(value))}" for name, value in case.items())
