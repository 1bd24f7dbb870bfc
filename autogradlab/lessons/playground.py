"""The exercises of lesson 15: beat a target, wind the spiral, no leak from the test set, and the
gradient of many machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..graphs.classifier import ACTIVATIONS, Classifier, new_model
from ..graphs.plane import points
from ..instruments.playground import ALLOWED, EVERY, RATES, STOPS, Playground
from .exercise import Exercise, Mistake, _call, _Diagnosis, _has_ellipsis, _kind, _NotTried, _read
from .training_curve import one_thread

TARGET = 0.1
GUESS = float(np.log(2))  # the loss where every score is 0
STRAIGHT = 0.24  # about what the best straight line reaches


def cross_entropy(scores: np.ndarray, y: np.ndarray) -> float:
    """The mean of −log p over class 1 and −log (1 − p) over class 0, from scores."""
    return float(np.mean(np.logaddexp(0, scores) - scores * y))


class Target(Exercise):
    """Points whose classes the learner's function does not see; it returns their scores."""

    def _examine(self, answer: Any) -> None:
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not callable(answer):
            raise _Diagnosis(f"Hand over the function by its name; this is {_kind(answer)}.")
        with one_thread():
            made = _call(answer, self.cases[0])
        self._judge(np.squeeze(_read(made)))

    def _judge(self, scores: np.ndarray) -> None:
        x, y = NEW
        if scores.shape == (len(SEEN[0]),):
            raise _Diagnosis(
                f"That is one number for each of the {len(SEEN[0])} points of x. Asked are the"
                f" scores of new, which has {len(x)}."
            )
        if scores.shape != (len(x),):
            what = "one number" if scores.ndim == 0 else "×".join(map(str, scores.shape))
            raise _Diagnosis(
                f"Return one score for each of the {len(x)} points of new; this is {what}."
            )
        if not np.isfinite(scores).all():
            raise _Diagnosis("Some scores are not finite: the training has exploded.")
        if np.isin(scores, (0, 1)).all() and np.ptp(scores):
            raise _Diagnosis(
                "Those are classes, 0 and 1. A score says how sure the network is; return it as it"
                " comes from the last layer."
            )
        loss = cross_entropy(scores, y)
        if loss < TARGET:
            return
        said = f"On new points the loss is {loss:.3f}; asked is less than {TARGET}."
        if cross_entropy(-scores, y) < TARGET:
            raise _Diagnosis(f"The classes are swapped. {said} With the sign turned it would fit.")
        if scores.min() >= 0 and scores.max() <= 1:
            p = np.clip(scores, 1e-12, 1 - 1e-12)
            if cross_entropy(np.log(p) - np.log1p(-p), y) < TARGET:
                raise _Diagnosis(
                    "Those are probabilities, between 0 and 1. Return the scores, from before the"
                    " sigmoid."
                )
        if cross_entropy(20 * (scores - 0.5), y) < TARGET:
            raise _Diagnosis(
                f"The classes part at 0.5. {said} Scores part at 0, where p is ½: which loss was"
                " it trained with?"
            )
        if np.ptp(scores) < 0.05:
            raise _Diagnosis(
                f"Every point gets nearly the same score. {said} Does the loop take steps, and do"
                " the new points go through the trained model?"
            )
        if abs(loss - STRAIGHT) < 0.05 and _straight(scores, x):
            raise _Diagnosis(
                f"The border is a straight line. {said} No line parts the moons: put an activation"
                " between two layers."
            )
        if loss > GUESS:
            raise _Diagnosis(
                f"{said} To guess gives {GUESS:.2f}: is .grad emptied before each step, or lr too"
                " large?"
            )
        raise _Diagnosis(f"{said} More steps, a larger lr, or more neurons.")


def _straight(scores: np.ndarray, x: np.ndarray) -> bool:
    """Whether the scores are a linear function of the points."""
    columns = np.concatenate([x, np.ones((len(x), 1))], 1)
    found = columns @ np.linalg.lstsq(columns, scores, rcond=None)[0]
    return bool(np.abs(found - scores).max() < 0.02 * np.ptp(scores))


def _moons(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """As tensors of float32 would hold them, the number type of a new layer."""
    x, y = points("moons", seed)
    kept = np.random.default_rng(seed).permutation(len(x))[:count]
    return x[kept].astype("float32"), y[kept].astype("float32")


SEEN, NEW = _moons(7, 100), _moons(8, 80)

target = Target(
    "1 · beat a target",
    right=None,
    why=f"On points the network has never seen, its loss is below {TARGET}.",
    mistakes=(),
    cases=({"x": SEEN[0], "y": SEEN[1][:, None], "new": NEW[0]},),
)


class Settings(Exercise):
    """Choices for the playground with which it learns all points of the spiral."""

    def _examine(self, answer: Any) -> None:
        if isinstance(answer, Playground):
            answer = {name: answer._choices[name] for name in ("hidden", "activation", "lr")}
        if answer is None or _has_ellipsis(answer):
            raise _NotTried
        if not isinstance(answer, Mapping):
            raise _Diagnosis(f"Settings are a dictionary; this is {_kind(answer)}.")
        if not answer or any(value is ... for value in answer.values()):
            raise _NotTried
        given = {"hidden": [4], "activation": "tanh", "lr": 0.03, **answer}
        for name, value in given.items():
            if name not in ("hidden", "activation", "lr"):
                raise _Diagnosis(f"{str(name)[:40]!r} is none of the three settings.")
            if not Playground.STATE[name](value):
                raise _Diagnosis(f"{name} cannot be {repr(value)[:40]}: {ALLOWED[name]}.")
        self._judge(**given)

    def _judge(self, hidden: Any, activation: str, lr: float) -> None:
        import autogradlab

        x, y = points("spiral")
        model = new_model(autogradlab, list(hidden), activation, seed=0)
        learner = Classifier(autogradlab, model, x, y, lr)
        with one_thread():
            learner.train(STOPS * EVERY[-1])
        right = int(((learner.moment().scores > 0) == (y == 1)).sum())
        if right == len(y):
            return
        said = f"{right} of {len(y)} points are on their side, and the loss is"
        said = f"{said} {learner.losses[-1]:.3f}."
        if lr <= RATES[1]:
            raise _Diagnosis(f"The steps are too small. {said} It is still on its way down.")
        if lr == RATES[-1]:
            raise _Diagnosis(f"The steps are too large. {said} Look at its curve, where it jumps.")
        if len(hidden) == 1 and hidden[0] < 8:
            raise _Diagnosis(
                f"The network is too small. {said} Each of its {hidden[0]} neurons draws one"
                " border; a spiral needs them bent, by a second layer."
            )
        if max(hidden) < 4:
            raise _Diagnosis(f"The layers are too narrow. {said} Give each more neurons.")
        if activation != "tanh":
            raise _Diagnosis(
                f"{activation.capitalize() if activation != 'relu' else 'Relu'} makes it hard"
                f" here. {said} Look at the tiles: which of the"
                f" {len(ACTIVATIONS)} activations answers on both sides of 0?"
            )
        raise _Diagnosis(f"{said} Change one setting at a time, and look at the tiles.")


spiral = Settings(
    "2 · the spiral",
    right=None,
    why="All 100 points are on their side after 600 steps.",
    mistakes=(),
)


def _by_train(train: Any, test: Any) -> np.ndarray:
    train, test = np.asarray(train, "float64"), np.asarray(test, "float64")
    return (test - train.mean()) / train.std(ddof=1)


def _mixed(train: Any, test: Any) -> np.ndarray:
    both = np.concatenate([train, test])
    return (np.asarray(test) - both.mean()) / both.std(ddof=1)


def _own(train: Any, test: Any) -> np.ndarray:
    test = np.asarray(test)
    return (test - test.mean()) / test.std(ddof=1)


class Either(Exercise):
    """Both spreads are right: divided by n − 1, as torch does, or by n, as NumPy does."""

    def _diagnose(self, you: np.ndarray, case: dict[str, Any]) -> str:
        train, test = (np.asarray(case[name], "float64") for name in ("train", "test"))
        found = super()._diagnose(you, case)
        if found and you.shape == test.shape:
            for name in ("by train", "its own", "both"):
                t = {"by train": train, "its own": test, "both": np.concatenate([train, test])}
                if np.allclose(you, (test - t[name].mean()) / t[name].std(), 1e-4, 1e-6):
                    say = {"its own": 0, "both": 1}
                    return self.mistakes[say[name]].says if name in say else ""
        return found


leak = Either(
    "3 · no leak",
    right=_by_train,
    why="The test set is treated with numbers that were known before it came.",
    mistakes=(
        Mistake(
            _own,
            "The test set is scaled by its own mean and spread. A single new image would have no"
            " spread at all; the network has learned with other numbers.",
        ),
        Mistake(
            _mixed,
            "The test set leaks. The mean and spread are of both sets together, so what you train"
            " with already knows the test set.",
        ),
        Mistake(
            lambda train, test: (np.asarray(test) - np.mean(train)) / np.std(test, ddof=1),
            "The mean is the right one. The spread is that of the test set.",
        ),
        Mistake(
            lambda train, test: (np.asarray(test) - np.mean(test)) / np.std(train, ddof=1),
            "The spread is the right one. The mean is that of the test set.",
        ),
        Mistake(
            lambda train, test: np.asarray(test) - np.mean(train) / np.std(train, ddof=1),
            "Brackets are missing: subtract first, then divide.",
        ),
        Mistake(
            lambda train, test: np.asarray(test) - np.mean(train),
            "The spread is missing. The mean is the right one; divide by the spread, too.",
        ),
        Mistake(
            lambda train, test: np.asarray(test) / np.std(train, ddof=1),
            "The mean is missing. Subtract it before you divide.",
        ),
        Mistake(
            lambda train, test: (np.asarray(test) - np.mean(train)) / np.var(train, ddof=1),
            "You divided by the variance. The spread is its root.",
        ),
        Mistake(
            lambda train, test: (np.asarray(train) - np.mean(train)) / np.std(train, ddof=1),
            "That is the training set, scaled. Return the test set.",
        ),
    ),
    cases=(
        {"train": np.array([1.0, 2.0, 4.0, 5.0]), "test": np.array([4.0, 7.0, 11.0])},
        {"train": np.array([0.0, 10.0, 2.0]), "test": np.array([5.0, -1.0, 0.5])},
    ),
)


def _total(g: Any, n: Any) -> np.ndarray:
    g, n = np.asarray(g, "float64"), np.asarray(n, "float64")
    return (g * n).sum() / n.sum()


def _over(f: Callable[[np.ndarray, np.ndarray], Any]) -> Callable[..., Any]:
    return lambda g, n: f(np.asarray(g, "float64"), np.asarray(n, "float64"))


shared = Exercise(
    "4 · unequal shares",
    right=_total,
    why="Every example counts once, on whichever machine it is.",
    mistakes=(
        Mistake(
            _over(lambda g, n: g.sum()),
            "That is the sum. {you} is as many times too long a step as there are machines.",
        ),
        Mistake(
            _over(lambda g, n: g * n / n.sum()),
            "Those are the parts that the machines have in it. Add them up.",
        ),
        Mistake(
            _over(lambda g, n: g.mean()),
            "Each machine counts the same. But one has more examples than another, and those then"
            " count less: weigh by n.",
        ),
        Mistake(
            _over(lambda g, n: (g * n).sum()),
            "That is the gradient of the summed loss. The loss is a mean over all examples: divide"
            " by how many there are.",
        ),
        Mistake(
            _over(lambda g, n: (g * n).sum() / len(n)),
            "You divided by the number of machines. With g · n every example counts once; divide"
            " by the number of examples.",
        ),
        Mistake(
            _over(lambda g, n: g.sum() / n.sum()),
            "The shares are missing in the sum. Each g is a mean over its own n examples: what was"
            " their sum?",
        ),
        Mistake(
            _over(lambda g, n: (g / n).sum()),
            "Each g is a mean already, divided by its n once. What undoes that?",
        ),
    ),
    cases=(
        {"g": np.array([4.0, 8.0, -2.0]), "n": np.array([30.0, 10.0, 40.0])},
        {"g": np.array([4.0, 8.0]), "n": np.array([20.0, 20.0])},
    ),
)
