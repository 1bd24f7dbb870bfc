"""Instruments: objects one can play with in a notebook, step from Python, or print as a picture.

They take tensors of either engine and use the autograd protocol only.
"""

from .backward_debugger import BackwardDebugger
from .error_curve import ErrorCurve
from .flow_waterfall import FlowWaterfall
from .freeze_board import FreezeBoard
from .graph_recorder import GraphRecorder
from .module_tree import ModuleTree
from .nudge_lab import NudgeLab
from .predict_the_gradient import PredictTheGradient
from .shape_tracer import ShapeTracer
from .tape_memory import TapeMemory
from .train_step_inspector import TrainStepInspector
from .twin_graph import TwinGraph

__all__ = [
    "BackwardDebugger",
    "ErrorCurve",
    "FlowWaterfall",
    "FreezeBoard",
    "GraphRecorder",
    "ModuleTree",
    "NudgeLab",
    "PredictTheGradient",
    "ShapeTracer",
    "TapeMemory",
    "TrainStepInspector",
    "TwinGraph",
]
