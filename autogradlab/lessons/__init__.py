"""What the lessons in `notebooks/` need besides the engine and the instruments: the exercises of
each lesson with their checkers, the self-test, and still pictures of an idea."""

from .exercise import Exercise, Mistake, Verdict, progress
from .op_table import op_table, op_tests
from .panel import Panel, self_test
from .pictures import (
    Picture,
    gradient_times_nudge,
    junctions,
    own_function,
    twin_cell,
    vector_times_jacobian,
)
from .training_curve import TrainingCurve
from .weights import resnet18_weights

__all__ = [
    "Exercise",
    "Mistake",
    "Panel",
    "Picture",
    "TrainingCurve",
    "Verdict",
    "gradient_times_nudge",
    "junctions",
    "op_table",
    "op_tests",
    "own_function",
    "progress",
    "resnet18_weights",
    "self_test",
    "twin_cell",
    "vector_times_jacobian",
]
