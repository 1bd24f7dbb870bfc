"""The whole of `torch.autograd`, in NumPy one can read: `import autogradlab as torch`.

Importing this imports NumPy and nothing else. `%load_ext autogradlab` in a notebook adds the
`%%twin` magic, which runs a cell here and in PyTorch and compares.
"""

from math import e, inf, nan, pi

from . import autograd, cuda, dtypes, func, linalg, nn, optim, random, utils
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.anomaly_mode import is_anomaly_enabled
from .creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from .devices import device, get_default_device, set_default_device
from .dtypes import (
    can_cast,
    double,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
)
from .func import vmap
from .nn.functional import conv1d, conv2d, group_norm, layer_norm, rms_norm
from .ops import FUNCTIONS
from .printing import set_printoptions
from .random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .sampling import (
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from .serialization import load, save
from .tensor import Size, Tensor, is_floating_point, is_tensor, numel, result_type

__version__ = "0.1.0"

newaxis = None

globals().update(FUNCTIONS)  # add, matmul, softmax, …: each is listed in its module of ops/

bool, int, float = dtypes.bool, dtypes.int, dtypes.float  # after everything that means Python's own


def load_ipython_extension(shell: object) -> None:
    """Add the `%%twin` magic: what `%load_ext autogradlab` calls."""
    from . import twin

    twin.load_ipython_extension(shell)


def __getattr__(name: str) -> object:
    raise AttributeError(f"autogradlab has no torch.{name}")
