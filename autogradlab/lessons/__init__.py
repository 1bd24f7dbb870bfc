"""What the lessons in `notebooks/` need besides the engine and the instruments: the exercises of
each lesson with their checkers, the self-test, and still pictures of an idea."""

from .exercise import Exercise, Mistake, Verdict, progress

__all__ = ["Exercise", "Mistake", "Verdict", "progress"]
