"""Small programs that run on both engines."""

import torch

import autogradlab

ENGINES = (autogradlab, torch)
PROGRAMS = {
    "Q": ("Q = 3*a**3 - b**2", [1.0, 1.0]),
    "square": ("Q = (a*b + 2)**2 / b", [1.0, 0.5]),
    "shared": ("Q = (a*a + a).sin().exp().sum()", None),
    "kinks": ("Q = (a.relu() * b.abs() - a.tanh()).mean()", None),
    "matrix": ("Q = (a.view(1, 2) @ b.view(2, 1)).sigmoid().sum()", None),
    "indexing": ("Q = a[0] * b[1:].sum() + torch.where(a > 1, a, b).sum()", None),
    "scalars": ("Q = (a.max() - b.min()) ** 2", None),
}


def program(engine, code):
    """The tensors a program binds; it starts with `a` and `b`."""
    space = {"torch": engine}
    exec("a = torch.tensor([2., 3.], requires_grad=True)", space)
    exec("b = torch.tensor([6., 4.], requires_grad=True)", space)
    exec(code, space)
    return {name: x for name, x in space.items() if engine.is_tensor(x)}
