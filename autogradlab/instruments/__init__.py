"""Instruments: objects one can play with in a notebook, step from Python, or print as a picture.

They take tensors of either engine and use the autograd protocol only.
"""

from .backward_debugger import BackwardDebugger
from .dual_stepper import DualStepper
from .error_curve import ErrorCurve
from .flow_waterfall import FlowWaterfall
from .freeze_board import FreezeBoard
from .graph_recorder import GraphRecorder
from .jacobian_painter import JacobianPainter
from .module_tree import ModuleTree
from .nudge_lab import NudgeLab
from .playground import Playground
from .predict_the_gradient import PredictTheGradient
from .ready_queue import ReadyQueue
from .shape_tracer import ShapeTracer
from .tape_memory import TapeMemory
from .train_step_inspector import TrainStepInspector
from .twin_graph import TwinGraph
from .vjp_explorer import VJPExplorer

__all__ = [
    "BackwardDebugger",
    "DualStepper",
    "ErrorCurve",
    "FlowWaterfall",
    "FreezeBoard",
    "GraphRecorder",
    "JacobianPainter",
    "ModuleTree",
    "NudgeLab",
    "Playground",
    "PredictTheGradient",
    "ReadyQueue",
    "ShapeTracer",
    "TapeMemory",
    "TrainStepInspector",
    "TwinGraph",
    "VJPExplorer",
]
