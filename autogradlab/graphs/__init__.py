"""Read the graph of a result, and the steps of its backward pass, as plain data.

Everything here uses the autograd protocol only (`grad_fn`, `next_functions`, node hooks,
`_saved_*`), so it works on PyTorch's tensors as well as on ours. Drawing lives beside it."""

from .data import (
    Edge,
    Event,
    Factor,
    Graph,
    GraphNode,
    Histogram,
    Inside,
    ModuleCall,
    Recording,
    Summary,
)
from .modules import watch
from .read import read_graph
from .recording import record, record_backward

__all__ = [
    "Edge",
    "Event",
    "Factor",
    "Graph",
    "GraphNode",
    "Histogram",
    "Inside",
    "ModuleCall",
    "Recording",
    "Summary",
    "read_graph",
    "record",
    "record_backward",
    "watch",
]
