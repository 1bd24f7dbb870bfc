"""Instruments: objects one can play with in a notebook, step from Python, or print as a picture.

They take tensors of either engine and use the autograd protocol only.
"""

from .backward_debugger import BackwardDebugger
from .curvature_dial import CurvatureDial
from .dual_stepper import DualStepper
from .error_curve import ErrorCurve
from .flow_lab import FlowLab
from .flow_waterfall import FlowWaterfall
from .freeze_board import FreezeBoard
from .gradcheck_microscope import GradcheckMicroscope
from .gradient_detective import GradientDetective
from .graph_of_the_graph import GraphOfTheGraph
from .graph_recorder import GraphRecorder
from .jacobian_painter import JacobianPainter
from .module_tree import ModuleTree
from .nudge_lab import NudgeLab
from .phase_map import PhaseMap
from .playground import Playground
from .predict_the_gradient import PredictTheGradient
from .ready_queue import ReadyQueue
from .shape_tracer import ShapeTracer
from .tape_memory import TapeMemory
from .train_step_inspector import TrainStepInspector
from .trajectory_race import TrajectoryRace
from .twin_graph import TwinGraph
from .vjp_explorer import VJPExplorer

__all__ = [
    "BackwardDebugger",
    "CurvatureDial",
    "DualStepper",
    "ErrorCurve",
    "FlowLab",
    "FlowWaterfall",
    "FreezeBoard",
    "GradcheckMicroscope",
    "GradientDetective",
    "GraphOfTheGraph",
    "GraphRecorder",
    "JacobianPainter",
    "ModuleTree",
    "NudgeLab",
    "PhaseMap",
    "Playground",
    "PredictTheGradient",
    "ReadyQueue",
    "ShapeTracer",
    "TapeMemory",
    "TrainStepInspector",
    "TrajectoryRace",
    "TwinGraph",
    "VJPExplorer",
]
