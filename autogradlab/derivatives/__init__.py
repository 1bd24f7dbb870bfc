"""The page everyone reads: every primitive once, with one derivative formula per input.

A line reads: the name of the node, how to compute the value, then for each input what its gradient
is. `g` is the gradient that comes in; an input's name is its value, `result` the value computed,
`self_shape` a shape. What a formula mentions is what the node saves, and nothing else.

`elementwise` is arithmetic and functions of one number, `reductions` sums and maxima, `shapes` what
moves numbers without changing them, `indexing` what picks them by index, `products` matrix
products, `linalg` inverses, determinants and norms, `writes` what in-place operations are made of,
`sampling` random numbers.
Neural networks need `activations`, `convolution`, `pooling`, `normalization`, `layers` and
`losses`. What is made of several primitives, and how torch's functions take their arguments, is in
`ops/` and `nn/`.
"""

import numpy as np

from .activations import *
from .convolution import *
from .elementwise import *
from .indexing import *
from .layers import *
from .linalg import *
from .losses import *
from .normalization import *
from .pooling import *
from .products import *
from .reductions import *
from .sampling import *
from .shapes import *
from .writes import *

# A training step frees as much memory as the next will ask for. glibc would hand most of it back to
# the system, to be fetched again page by page, until it has seen one block this large freed: the
# pages of this one are never touched, and convolution and attention train up to twice as fast.
np.empty((1 << 25) - (1 << 16), np.uint8)
