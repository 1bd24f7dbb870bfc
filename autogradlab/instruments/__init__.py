"""Instruments: objects one can play with in a notebook, step from Python, or print as a picture.

They take tensors of either engine and use the autograd protocol only.
"""

from .backward_debugger import BackwardDebugger
from .flow_waterfall import FlowWaterfall
from .freeze_board import FreezeBoard
from .module_tree import ModuleTree
from .predict_the_gradient import PredictTheGradient
from .ready_queue import ReadyQueue
from .tape_memory import TapeMemory
from .twin_graph import TwinGraph

__all__ = [
    "BackwardDebugger",
    "FlowWaterfall",
    "FreezeBoard",
    "ModuleTree",
    "PredictTheGradient",
    "ReadyQueue",
    "TapeMemory",
    "TwinGraph",
]
