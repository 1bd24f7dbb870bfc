"""Instruments: objects one can play with in a notebook, step from Python, or print as a picture.

They take tensors of either engine and use the autograd protocol only.
"""

from .backward_debugger import BackwardDebugger
from .dual_stepper import DualStepper
from .flow_waterfall import FlowWaterfall
from .freeze_board import FreezeBoard
from .jacobian_painter import JacobianPainter
from .module_tree import ModuleTree
from .predict_the_gradient import PredictTheGradient
from .tape_memory import TapeMemory
from .twin_graph import TwinGraph
from .vjp_explorer import VJPExplorer

__all__ = [
    "BackwardDebugger",
    "DualStepper",
    "FlowWaterfall",
    "FreezeBoard",
    "JacobianPainter",
    "ModuleTree",
    "PredictTheGradient",
    "TapeMemory",
    "TwinGraph",
    "VJPExplorer",
]
