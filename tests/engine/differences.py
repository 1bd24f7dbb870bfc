"""Where autogradlab does not do what PyTorch does: each difference as a program and a sentence.

`test_differences.py` runs every program on both engines and expects them to differ, so that none
stays on the list when it is gone. docs/differences.md is written from here (`make differences`).
"""

from __future__ import annotations

from collections.abc import Iterator

from twins import ENGINES, run

# A heading, then for each difference what it is and a program that shows it.
DIFFERENCES = {
    "More than PyTorch gives": [
        (
            "Forward over forward over reverse mode: PyTorch's writes into what its own backward "
            "pass has saved.",
            "from torch.func import jacfwd, jacrev\n"
            "f = lambda a: a.outer(a).norm()\n"
            "print(jacrev(jacfwd(jacfwd(f)))(torch.ones(2)).shape)",
        ),
        (
            "Under `vmap` a tensor that is the same for all examples may be written in place with "
            "values that are not.",
            "print(torch.vmap(lambda a: torch.zeros(2).add_(a))(torch.eye(2)))",
        ),
        (
            "Different numbers for the outer examples, the same for the inner ones, in place.",
            "fill = torch.vmap(lambda a: a.clone().uniform_(), randomness='same')\n"
            "print(torch.vmap(fill, randomness='different')(torch.ones(2, 3)))",
        ),
        (
            "The gradient of a determinant at a singular matrix, also without `create_graph=True`.",
            "m = torch.tensor([[1., 2.], [2., 4.]], dtype=torch.float64, requires_grad=True)\n"
            "torch.linalg.det(m).backward()\n"
            "print(m.grad)",
        ),
    ],
    "Third derivatives": [
        (
            "PyTorch's third derivatives of `layer_norm` (and of `batch_norm`) are not those of "
            "the same formula written out.",
            "F = torch.nn.functional\n"
            "x = torch.tensor([0.5, 1.5, -2.0], dtype=torch.float64, requires_grad=True)\n"
            "def by_hand(x):\n"
            "    far = x - x.mean()\n"
            "    return far / (far * far).mean().sqrt()\n"
            "def third(f):\n"
            "    g = f(x).pow(3).sum()\n"
            "    for _ in range(3):\n"
            "        (g,) = torch.autograd.grad(g, x, create_graph=True)\n"
            "        g = (g * torch.arange(1.0, 4.0, dtype=torch.float64)).sum()\n"
            "    return g\n"
            "norm = lambda x: F.layer_norm(x, (3,), eps=0.0)\n"
            "same = torch.allclose(third(by_hand), third(norm))\n"
            "print(same)",
        ),
    ],
    "Nothing half done": [
        (
            "An inference tensor that must not be written keeps its values.",
            "with torch.inference_mode():\n"
            "    x = torch.zeros(2)\n"
            "try:\n"
            "    x.add_(1)\n"
            "except RuntimeError:\n"
            "    print(x)",
        ),
        (
            "A state dict that does not fit leaves the whole module as it was.",
            "layer = torch.nn.Linear(1, 2)\n"
            "try:\n"
            "    layer.load_state_dict({'weight': torch.zeros(2, 1), 'bias': torch.zeros(3)})\n"
            "except RuntimeError:\n"
            "    print(layer.weight.any())",
        ),
        (
            "Files hold data only: `save` writes safetensors, and no `load` can run code.",
            "import os\n"
            "try:\n"
            "    torch.save(torch.nn.Linear(1, 1), os.devnull)\n"
            "    print('pickled')\n"
            "except TypeError as error:\n"
            "    print(error)",
        ),
    ],
    "Other names for the same thing": [
        (
            "The graph of a graph: PyTorch fuses some second derivatives and names nodes after "
            "that. Values are the same, names are promised for first-order graphs only.",
            "x = torch.tensor(1.0, requires_grad=True)\n"
            "(g,) = torch.autograd.grad(x.tanh(), x, create_graph=True)\n"
            "print(g.grad_fn.name())",
        ),
        (
            "The node behind a tangent says where it came from, not which operation computed it.",
            "from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual\n"
            "x = torch.ones(2, requires_grad=True)\n"
            "with dual_level():\n"
            "    print(unpack_dual(make_dual(x, torch.ones(2)) * 2).tangent.requires_grad)\n"
            "    print(unpack_dual(make_dual(x, torch.ones(2)) ** 2).tangent.grad_fn.name())",
        ),
    ],
    "At the edges": [
        (
            "A mask or an index that an operation keeps is not among the tensors that hooks on "
            "saved tensors see.",
            "def pack(x):\n"
            "    print('saves', x.dtype)\n"
            "    return x\n"
            "a = torch.ones(2, requires_grad=True)\n"
            "with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):\n"
            "    a.masked_fill(a > 0, 2.0)\n"
            "    a * a",
        ),
        (
            "PyTorch's gradient of a sum is a view, of a tensor that nobody has.",
            "a = torch.ones(2, requires_grad=True)\n"
            "(g,) = torch.autograd.grad(a.sum(), a)\n"
            "print(g._is_view())",
        ),
        (
            "To write through an index into a tensor whose elements share their memory is an error "
            "like any other such write; in PyTorch it is deprecated.",
            "a = torch.ones(1).expand(3)\n"
            "a[[0, 1]] = 2.0\n"
            "print(a)",
        ),
        (
            "A hook on one of several results is not called if no gradient comes there; PyTorch "
            "calls it with None.",
            "a = torch.ones(2, requires_grad=True)\n"
            "x, y = (a * 1).unbind()\n"
            "y.register_hook(lambda g: print('called with', g))\n"
            "x.backward()",
        ),
        (
            "PyTorch has two texts for an index out of range.",
            "print(torch.ones(2, 3).index_select(1, torch.tensor([-1])))",
        ),
        (
            "The name of floor division in place.",
            "a = torch.ones(2, requires_grad=True) * 1\n"
            "a //= 2\n"
            "a.sum().backward()",
        ),
        (
            "Where an operation reads one tensor twice, a gradient of the wrong shape is told of "
            "the first place.",
            "a = torch.ones(3, requires_grad=True)\n"
            "a.scatter(0, torch.tensor([0, 1]), a).sum().backward()",
        ),
        (
            "Of two faults in one step the other one may be named.",
            "a = torch.ones(2, requires_grad=True) * 1\n"
            "b, c = a\n"
            "a += 1\n"
            "b[1:]",
        ),
    ],
    "Not here": [
        ("Complex numbers.", "print(torch.tensor([1 + 2j]))"),
        ("bfloat16, sparse and quantized tensors, devices other than the CPU.",
         "print(torch.ones(2, device='meta').shape)"),
        ("`view` as another dtype.", "print(torch.ones(2).view(torch.int32))"),
        ("Derivatives of `scatter` with `reduce=`.",
         "print(torch.ones(2).scatter(0, torch.tensor([0]), 2.0, reduce='multiply'))"),
        ("The arguments `size_average` and `reduce` of losses, which PyTorch has deprecated.",
         "print(torch.nn.MSELoss(reduce=False))"),
        ("Random integers of a floating-point type that has not all of them.",
         "print(torch.zeros(2).random_(2**25))"),
        (
            "Writing in place into an input of a function under `vmap` changes the input inside "
            "only: the tensor `vmap` was given stays as it is.",
            "m = torch.ones(2, 3)\n"
            "out = torch.vmap(lambda a: a.add_(1))(m)\n"
            "print(m)",
        ),
        ("`multinomial` under `vmap`.",
         "draw = lambda p: torch.multinomial(p, 2)\n"
         "print(torch.vmap(draw, randomness='different')(torch.ones(2, 3)).shape)"),
        ("`random_(low, None)`.", "print(torch.zeros(2).random_(5, None))"),
        ("Worker processes that load data.",
         "print(torch.utils.data.DataLoader(range(3), num_workers=1).num_workers)"),
        ("A learning rate that is a tensor, and `foreach`, `fused`, `capturable`, `differentiable` "
         "of optimizers.",
         "w = torch.ones(2, requires_grad=True)\n"
         "print(torch.optim.SGD([w], lr=torch.tensor(0.1)).param_groups[0]['lr'])"),
    ],
}  # fmt: skip


def outcomes(program: str) -> list[str]:
    """What a program prints, or the error it ends with, here and in PyTorch."""
    found = []
    for engine in ENGINES:
        space, error, _ = run(program, engine)
        found.append(space["printed"].strip() + error)
    return found


def page() -> Iterator[str]:
    """docs/differences.md, line by line."""
    yield "# What differs from PyTorch\n"
    yield (
        "Everything that is not on this page is meant to be the same: values, dtypes, flags,\n"
        "first-order graphs, printed text, random numbers, warnings and error texts. Each program\n"
        "below runs on both engines in the tests, and its outcome is what stands here.\n"
    )
    yield (
        "Some random numbers depend on the processor PyTorch runs on. Normal ones agree to 4\n"
        "units in the last place (float32 without vector instructions: 24), and uniform ones\n"
        "between bounds are the same (there: to one unit of the larger bound). On Intel\n"
        "processors PyTorch may draw `bernoulli_(p)` for a number p, dropout, `exponential_` and\n"
        "`multinomial` from a generator of Intel's.\n"
    )
    for heading, differences in DIFFERENCES.items():
        yield f"## {heading}\n"
        for sentence, program in differences:
            ours, theirs = outcomes(program)
            yield f"{sentence}\n\n```python\n{program}\n```\n"
            yield f"autogradlab:\n\n```\n{ours}\n```\n\nPyTorch:\n\n```\n{theirs}\n```\n"
