"""What every exercise must say of a wrong answer."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from autogradlab.lessons import Exercise

Wrong = tuple[Exercise, Any, str]  # an exercise, an answer to it, words of what is said of it


def assert_named(each: Exercise, verdict: Any, diagnosis: str) -> None:
    """It is one line, and says what is wrong."""
    assert verdict.state == "not yet" and not each.solved
    assert diagnosis in verdict.text and verdict.text.startswith("Not yet. "), verdict
    assert "\n" not in verdict.text


def assert_all_tried(
    exercises: Iterable[Exercise],
    wrong: Iterable[Wrong],
    check: Callable[[Exercise, Any], Any] = Exercise.check,
) -> None:
    """Every mistake that an exercise knows is made in one of its wrong answers."""
    for each in exercises:
        said = [check(each, answer).text for other, answer, _ in wrong if other is each]
        assert len(said) >= 3
        for mistake in each.mistakes:
            words = re.sub(r"\\\{\w+\\\}", ".*", re.escape(mistake.says))
            assert any(re.search(words, text) for text in said), mistake.says
