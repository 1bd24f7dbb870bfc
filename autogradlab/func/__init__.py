"""`torch.func`: transforms of functions. Gradients, products with Jacobians, Jacobians, batching.

Reverse mode is the tape, forward mode and vmap are array kinds under it (see arrays/), so they nest
in any order. `trees` knows tuples, lists and dicts of tensors, `transforms` what torch offers.
"""

from .transforms import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]
