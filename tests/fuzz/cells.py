"""Random twin cells: small programs as a learner might type, over the whole table of operations.

A program is drawn as a list of leaves and a list of lines, each line a list of whole numbers. The
numbers choose alternatives from `GRAMMAR`, so that Hypothesis can shrink a failing program by
leaving out lines and lowering numbers. PyTorch runs each line while it is written: it says which
tensors there are to go on with, and a line it refuses is written inside `try`, so that its words
are printed and the program goes on.

Rounding must not decide what a program does: the engines may differ in the last digit of `exp(x)`,
so no step with a jump or a kink (`floor`, `>`, `relu`, `max`, printing) reads a number that came
from one like it. Such steps read `{e}`, a tensor of exact numbers: leaves are multiples of 1/4, and
sums, products and choices of exact ones stay exact. For the same reason a program ends where
numbers become so large that their differences have few digits left.
"""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from autogradlab.twin import Twin

# {x} {y} {z}: tensors of numbers, mostly alike, {a}: any tensor, {f}: of floats, {e}: one of exact
# numbers, {i}: of indices, {m}: a mask, {h}: the one result of a step, {new}: a name to bind. Other
# names are rules of this grammar. What "rounded…" gives is not exact; ¶ is a new line.
GRAMMAR = {
    "line": """
        {new} = {exact} | {new} = {exact} | {new} = {view} | {new} = {rounded} | {write} | {write}
        {run} | {run} | {flag} | {hook} | {new} = {chosen} | {show} | {block} | {several}
    """,
    "exact": """
        {x} * {y} | {x} + {y} | {x} - {n} | {n} - {x} | {x} * {n} | -{x} | {x} ** 2 | {a}.sum()
        ~{m} | {x}.sum({d}) | {x}.sum({d}, keepdim=True) | {a}.clone() | {x}.square() | {x} @ {y}
        {x} / 2 | {x}.add({y}, alpha=2) | torch.sub({x}, {y}) | torch.mul({x}, {n}) | {x}.neg()
        {x}.double() | {a}.float() | {a}.to(torch.float64) | {m} * {x} | {x}.type_as({y})
        torch.stack([{x}, {y}]) | torch.stack([{a}, {a}], {d}) | torch.cat([{x}, {y}])
        torch.cat([{x}, {x}], {d}) | {a}.repeat(2, 1) | {a}.tile(2) | {a}.flip(0) | {a}.roll(1)
        {x}.tril() | {x}.triu(1) | {x}.diag() | {x}.diag_embed() | {x}.cumsum({d}) | {x}.prod()
        {x}.prod({d}) | {x}.cumprod({d}) | {x}.dot({y}) | {x}.mv({y}) | {x}.mm({y}) | {x}.outer({y})
        {x}.inner({y}) | torch.addmm({x}, {y}, {z}) | torch.bmm({x}, {y})
        torch.addcmul({x}, {y}, {z}) | {x}.trace() | torch.einsum('ij,jk->ik', {x}, {y})
        torch.einsum('i,i', {x}, {y}) | {x}.contiguous() | torch.tensordot({x}, {y}, 1)
        {x}.reshape({s}) | {x}.flatten() | {x}.ravel() | {x}.diff() | {x}.nansum() | {x}.rot90()
        {x}.sum_to_size({s}) | {x}.repeat_interleave(2) | {x}.index_select({d}, {i} * 0)
        {x}.gather({d}, {i}) | {x}.take({i}) | {x}.masked_fill({m}, {n})
        {x}.scatter({d}, {i}, {y} * 1) | {x}.scatter({d}, {i}, {n})
        {x}.scatter_add({d}, {i}, {y} * 1)
        {x}.index_add({d}, {i}, {y}) | {x}[None].index_fill(0, torch.tensor([0]), {n})
        {x}.masked_select({m}) | {x}.index_put(({i},), {y}) | torch.where({m}, {x}, {y})
        torch.where({m}, {x}, {n}) | F.pad({x}, (1, 0)) | F.pad({x}, (1, 1), value=2.0)
        F.linear({x}, {y}) | {x}.lerp({y}, 0.5) | F.embedding({i} * 0, torch.stack([{f}, {f}]))
        F.one_hot({i}, 3) * 2 | torch.zeros_like({x}) | torch.ones_like({x}) | {x}.new_ones(2)
        torch.tensor({x}.tolist()) | F.mse_loss({x}, {y}, reduction='sum') | {a}.long() | {a}.bool()
        {a}.int() | {x}.item() * {y} | sum({x}) | abs(-2) * {x}
        torch.meshgrid({x}.flatten(), {y}.flatten(), indexing='ij')[0] | torch.hstack([{x}, {y}])
        torch.as_tensor({x}) | {x}.vdot({y}) | torch.cross({x}, {y}, dim=-1) | {x}[{k}] * 1
    """,
    "view": """
        {a}[{k}] | {a}[{k}] | {a}[{k}] | {a}.T | {a}.t() | {a}.mT | {a}.view({s}) | {a}.view_as({y})
        {a}.transpose(0, {d}) | {a}.unsqueeze({d}) | {a}.squeeze() | {a}.squeeze({d}) | {a}.detach()
        {a}.expand({w}) | {a}.expand_as({y}) | {a}.permute(1, 0) | {a}.diagonal()
        {a}.narrow(0, 0, 1) | {a}.select({d}, 0) | {a}.unfold(0, 2, 1) | {a}.data
        {a}.movedim(0, {d}) | {a}.reshape({s}) | {a}.unbind()[0] | {a}.split(1)[0] | {a}.chunk(2)[0]
        {a}.unsqueeze(0).unflatten(0, (1, -1)) | {a}._base | {a}.as_strided((2,), (1,))
        {a}.detach().requires_grad_() | {a}.broadcast_to(2, 3) | {a} | {a}.swapaxes(0, {d})
        {a}.view({a}.shape) | next(iter({a})) | {a}.flatten() | {a}.float()
    """,
    "rounded": """
        {x}.exp() | {x}.tanh() | {x}.sigmoid() | {x}.log() | {x}.sqrt() | {x} / {y} | {n} / {x}
        {x}.mean() | {x}.mean({d}) | {x}.sin() | {x}.cos() | {x}.softmax({d}) | {x}.log_softmax({d})
        {x}.reciprocal() | {x}.rsqrt() | {x} ** 3 | {x} ** {y} | {x} ** -1 | 2 ** {x} | {x} ** 0.5
        {x}.exp2() | {x}.expm1() | {x}.log1p() | {x}.log2() | {x}.log10() | {x}.tan() | {x}.asin()
        {x}.acos() | {x}.atan() | {x}.sinh() | {x}.cosh() | {x}.asinh() | {x}.acosh() | {x}.atanh()
        {x}.erf() | {x}.erfc() | {x}.logit() | torch.atan2({x}, {y}) | {x}.hypot({y})
        {x}.logaddexp({y}) | {x}.xlogy({y}) | torch.addcdiv({x}, {y}, {z}) | {x}.logsumexp({d})
        {x}.var() | {x}.std() | {x}.var({d}) | {x}.std({d}, unbiased=False) | {x}.norm()
        {x}.norm(2, {d}) | torch.linalg.vector_norm({x}) | torch.dist({x}, {y}) | {x}.nanmean()
        torch.std_mean({x})[0] | {f}.det() | torch.linalg.inv({f}) | torch.linalg.solve({f}, {y})
        torch.linalg.matrix_power({x}, 2) | torch.linalg.slogdet({f})[1] | F.silu({x}) | F.gelu({x})
        F.softplus({x}) | F.mish({x}) | F.logsigmoid({x}) | F.softsign({x}) | F.softmin({x}, {d})
        F.glu({x}) | F.layer_norm({e}, (3,)) | F.rms_norm({x}, {x}.shape[-1:]) | F.normalize({x})
        F.group_norm({e}, 1) | F.mse_loss({x}, {y}) | F.cross_entropy({f}, {i})
        F.nll_loss({f}, {i}) | F.cross_entropy({f}, {y}) | F.kl_div({f}, {y}, reduction='sum')
        F.binary_cross_entropy_with_logits({f}, {y})
        F.binary_cross_entropy({f}.sigmoid(), {m}.float()) | F.cosine_similarity({f}, {y}, {d})
        F.avg_pool1d({x}, 2) | F.conv1d({f}, {y})
        (lambda t: F.scaled_dot_product_attention(t, t, t))({f}.sum() * torch.ones(2, 3))
        F.batch_norm(torch.stack([{e}, {e}]), None, None, training=True) | {x}.grad | {x}.grad * {y}
        torch.true_divide({x}, {y}) | {x} / {n} | F.adaptive_avg_pool1d({x}, 1)
    """,
    # steps with jumps or kinks, and numbers as text
    "chosen": """
        {e} > {n} | {e} > {e} | {e}.relu() | {e}.abs() | {e}.max() | {e}.min({d})[0]
        {e}.max({d})[0] | {e} == {e} | {e} < {n} | {e} != {n} | ~({e} > 0) | {e}.clamp(0, 1)
        {e}.clamp(min={n}) | torch.maximum({e}, {e}) | torch.minimum({e}, {e}) | {e}.amax({d})
        {e}.amin() | {e}.argmax() | {e}.argmin({d}) | {e}.sort()[0] | {e}.sort({d})[1]
        {e}.topk(1)[0] | {e}.median() | {e}.median({d})[0] | {e}.sign() | {e}.floor() | {e}.round()
        {e}.ceil() | {e}.trunc() | {e} // 2 | {e} % 2 | {e}.fmod(2) | {e}.remainder({e})
        F.relu({e}) | F.leaky_relu({e}) | F.elu({e}) | F.selu({e}) | F.relu6({e}) | F.hardtanh({e})
        F.hardsigmoid({e}) | F.hardswish({e}) | F.l1_loss({e}, {e}) | F.smooth_l1_loss({e}, {e})
        (lambda t: F.huber_loss(t, t * 2))({e}) | F.max_pool1d({e}, 2) * 1 | {e}.nan_to_num()
        {e}.norm(1) | {e}.isnan() | {e}.isfinite() | ({e} > 0).sum() | ({e} > 0).any()
        ({e} > 0).all({d}) | {e}.any() | {e}.logical_and({e}) | {m} ^ True | {m}.bitwise_or({m})
        {m} & {m} | {m}.any() | {m}.all({d}) | {m}.logical_not() | torch.equal({e}, {e})
        torch.allclose({e}, {e}) | ~{e}.isclose({e}) | {e}[{e} > 0] | {e}.where({e} > 0, {n})
        {e}.clamp_min(0) | {e}.clamp({e}, {e}) | {e}.aminmax()[0] | F.prelu({e}, {e})
        torch.max({e}, {e}) | {e}.tolist() | {e}.item() | len({e}) | {e}.numel()
        {e}.is_contiguous() | {e}.dim() | {e}.size({d}) | {e}.argsort() | int({e}) | float({e})
        bool({e}) | {n} in {e} | (lambda t: F.triplet_margin_loss(t, t * 2, t + 1))({e})
    """,
    "write": """
        {x}.add_({y}) | {x} += {n} | {x} *= {y} | {x} -= {y} | {x}.mul_({n}) | {x}[{k}] = {n}
        {f}[{k}] = {y} | {x}[{k}] += {n} | {x}[{k}] *= {y} | {x}.zero_() | {x}.fill_({n})
        {x}.copy_({y}) | {x}[{k}].mul_({n}) | {x}[{k}].add_({y}) | {x}.T.add_({n})
        {x}.detach().mul_(2) | {x}.data.add_(1) | {x}.view(-1)[0] = {n} | {x}.neg_() | {x}.square_()
        {x}.sub_({y}) | (lambda t: t.masked_fill_(t == t, {n}))({x}) | {x}[{m}] = {n}
        {x}[{i}] = {n} | {f}[{i}] = {y} | {rounded_write} | {x}.index_add_({d}, {i}, {y})
        {f}.scatter_({d}, {i}, {n}) | {x}.T.fill_({n}) | {f}.index_put_(({i},), {y} * 1)
        {x}.tril_() | {x}.cumsum_({d}) | {f}.lerp_({y}, 0.5) | {rounded_write}
        {x}.diagonal().fill_({n}) | {x}.addcmul_({y}, {z}) | (lambda t: t.addmm_(t, t))({x})
        {rounded_write} | {rounded_write} | {x}.div_(2) | {x} **= 2
        {x}.pow_(2) | {e}.relu_() | {e}.clamp_(0, 1) | {e}.abs_() | F.relu({e}, inplace=True)
        {e}.floor_() | {e}.round_() | {e}.detach().floor_divide_(2) | {e} %= 2
        {x}.unbind()[0].mul_(2)
        {x}.expand(2, 3)[0] = {n} | {x}.expand(2, 3).add_({y}) | {x}.grad.zero_() | {x}.grad += 1
        {x}.add_({x}) | {x}.mul_({x}) | {x}.copy_({x}.T) | {f}.fill_({f}.sum()) | {x}.data = {y}
        {x}.grad = {y} | {rounded_write}
    """,
    "rounded_write": """
        {x}.exp_() | {x} /= {y} | {x}.sigmoid_() | {x}.tanh_() | {x}.sqrt_() | {x}.sin_()
        {x}.reciprocal_()
    """,
    "run": """
        {x}.sum().backward() | {x}.backward() | {x}.sum().backward() | ({x} * {y}).sum().backward()
        {x}.sum().backward(retain_graph=True) | {x}.backward(torch.ones_like({x}))
        {x}.backward({y}) | {new} = torch.autograd.grad({x}.sum(), {y})[0].clone()
        {new} = torch.autograd.grad({x}.sum(), {y}, create_graph=True)[0]
        {new}, {new} = torch.autograd.grad({x}.sum(), [{y}, {z}], allow_unused=True)
        {new} = torch.autograd.grad({x}, {y}, {z}, retain_graph=True)[0]
        {new} = torch.autograd.grad({x}.sum(), {y}, create_graph=True, allow_unused=True)[0]
        {new} = torch.autograd.grad({x}.sum(), {y}, materialize_grads=True)[0]
        {x}.sum().backward(inputs=[{y}]) | {x}.sum().backward(create_graph=True)
        torch.autograd.backward([{x}.sum(), {y}.sum()]) | {x}.mean().backward()
        {new} = torch.autograd.grad([{x}.sum(), {y}.sum()], {z}, retain_graph=True)[0]
        {new} = (lambda t: (t * 2).grad_fn(t.detach()))({f})
        {new} = torch.autograd.functional.vjp(lambda t: t * {x}, {y}, {z})[1]
        {new} = torch.autograd.functional.hessian(lambda t: (t ** 2 * {x}).sum(), {y})
        {new} = torch.autograd.functional.jacobian(lambda t: t * {x}, {y})
        {new} = torch.func.grad(lambda t: (t * {x}).sum())({y}).detach()
        {new} = torch.func.jvp(lambda t: t * {x}, ({y} * 1,), ({z},))[1].detach()
        {new} = torch.vmap(lambda t: (t * t).sum() * 2)({y}[None]).detach()
        {new} = torch.utils.checkpoint.checkpoint(lambda t: t * t, {x}, use_reentrant=False)
    """,
    "flag": """
        {x}.requires_grad_() | {x}.requires_grad = False | {x}.retain_grad() | {x}.grad = None
        {x}.requires_grad_(False) | {x}.requires_grad = True | del {x}.grad
        {new} = {x}.detach().clone() | {new} = {x}.is_leaf | {new} = torch.nn.Parameter({x})
    """,
    "hook": """
        {h}.register_hook(lambda g: g * 2) | {h}.register_hook(lambda g: print(g.shape, g.dtype))
        {h}.register_hook(lambda g: g + {n}) | {x}.retain_grad()
        {x}.register_post_accumulate_grad_hook(lambda t: print('filled', t.grad.shape))
        {h}.grad_fn.register_hook(lambda sent, came: print(len(sent), len(came)))
        {h}.grad_fn.register_prehook(lambda came: print([g.shape for g in came]))
        {h}.register_hook(lambda g: {x} * g) | {h}.register_hook(lambda g: print({y}.shape))
        {h}.grad_fn.register_prehook(lambda came: (came[0] * 2,))
        {h}.register_hook(print).remove()
    """,
    "show": """
        print({e}) | print({x}.grad_fn and {x}.grad_fn.name()) | print({x}.shape, {x}.dtype)
        print({x}.is_leaf, {x}.requires_grad, {x}._version)
        print({e}._is_view(), {e}._base is {e})
        print({x}.grad_fn and [n and n.name() for n, _ in {x}.grad_fn.next_functions])
        print({x}.retains_grad) | print({x}.grad is None) | print({e}.tolist()) | print(f'{e}')
        print({x}.output_nr) | print({x} is {y}) | print({e}.detach())
    """,
    "block": """
        with torch.no_grad():¶    {line} | with torch.no_grad():¶    {line}¶    {line}
        if {e}.sum() > {n}:¶    {line}¶else:¶    {line} | for _ in range(2):¶    {smooth}
        for {new} in {e}:¶    {smooth} | with torch.enable_grad():¶    {line}
        with torch.no_grad():¶    with torch.enable_grad():¶        {line}
        with torch.inference_mode():¶    print(({x} * 2).is_inference())
        with torch.no_grad(), torch.enable_grad():¶    {line}
        with torch.autograd.graph.saved_tensors_hooks(*FLIP):¶    {new} = {exact}
        with torch.autograd.graph.save_on_cpu():¶    {new} = {exact} | torch.set_grad_enabled(True)
        with torch.autograd.set_detect_anomaly(True, check_nan=False):¶    {new} = {exact}
    """,
    "smooth": """
        {new} = {exact} | {x} = {x} + {y} | {write} | {new} = {view} | {new} = {rounded} | {run}
    """,
    "several": """
        {new}, {new} = {x} | {new}, {new} = {x}.unbind({d}) | {new}, {new} = {x}.split(1)
        {new}, {new} = {e}.max({d}) | {new}, {new} = {x}.chunk(2, {d}) | {new}, {new} = {e}.sort()
        {new}, *{new} = {x} | {new}, {new} = {x}, {y}
        {new}, {new} = torch.broadcast_tensors({x}, {y}) | {new}, {new} = {e}.topk(2)
        {new}, {new} = {e}.aminmax()
    """,
    "n": "2 | 0.5 | -1 | 0 | 1.5 | True",
    "d": "0 | -1 | 1 | -2",
    "w": "3 | 2, 3 | 2, 1, 3 | 3, 2",
    "s": "-1 | 2, 3 | 3 | 1, -1 | 3, 2 | 2, 1, 3 | -1, 3 | 0",
    "k": """
        0 | 1: | -1 | ::2 | :, 0 | ..., 0 | None | [0, 0] | {i} | {m} | :, {i} | ... | 0, 1 | :1, 1:
    """,
}
SHAPES = [(3,), (), (2, 3), (1,), (3, 2), (2, 1), (3, 3), (0,), (2, 2, 3), (0, 3), (2,)]
KINDS = ["float32, requires_grad=True", "float64, requires_grad=True", "float32"]
KINDS += ["float64, requires_grad=True", "float32", "int64", "bool"]
PREAMBLE = [
    "F = torch.nn.functional",
    "FLIP = [lambda t: -t if t.is_floating_point() else t] * 2",
]
NAMES = "abcdefghjklmnopqrstuvwyz"
FLOATS = {torch.float32, torch.float64}
INDEX = torch.int64, "torch.tensor([0, 1])"
MASK = torch.bool, "torch.tensor([True, False, True])"
HOLE = re.compile(r"\{(\w+)\}")
RULES = {
    name: [part.strip().replace("¶", "\n") for part in re.split(r" \| |\n", text) if part.strip()]
    for name, text in GRAMMAR.items()
}
LARGE = 1e4  # the difference of two float32 numbers beyond this may have few digits left
SOME, STEPS = 100, 3  # of rounded numbers: `exp` and squares make what they are off larger
MANY = 200  # elements of a tensor

numbers = st.lists(st.integers(0, 2**12), max_size=14)
drawn = st.tuples(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, max_size=12))


class Writer:
    """Writes one program; `space` is what PyTorch has bound in the lines there are so far."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = {"torch": torch}
        self.lines: list[str] = []
        self.rounded: dict[str, int] = {}  # names of tensors that are not exact: steps
        self.second_order = self.over = False
        self.start([])
        for line in PREAMBLE:
            self.add(line)

    def start(self, choices: list[int]) -> None:
        """Of a line: what it is to choose, and what it has read."""
        self.choices, self.read, self.is_rounded = iter(choices), set(), False
        self.first, self.writes = "", False

    def take(self, options: Sequence[Any]) -> Any:
        return options[next(self.choices, 0) % len(options)]

    def leaf(self, choices: list[int]) -> None:
        """A line that makes a leaf of any shape and dtype."""
        self.start(choices)
        shape, kind = self.take(SHAPES), self.take(KINDS)
        values = [self.take(range(4, -7, -1)) for _ in range(torch.Size(shape).numel())]
        to = {"bool": lambda k: k > 0, "int64": lambda k: k % 3}.get(kind, lambda k: k / 4)
        data = torch.tensor([*map(to, values)]).reshape(shape).tolist()
        made = f"torch.tensor({data}" if values or not shape else f"torch.zeros({shape}"
        self.add(f"{self.new_name()} = {made}, dtype=torch.{kind})")

    def line(self, choices: list[int]) -> None:
        """A line of the program, if numbers are still small enough to be compared."""
        if not self.over:
            self.start(choices)
            self.add(self.expand("line"))

    def expand(self, rule: str) -> str:
        """One alternative of a rule, with its holes filled."""
        if rule == "new":
            return self.take([self.new_name(), *self.tensors()])
        if rule in "axyzefimh":
            return self.tensor(rule)
        self.writes |= rule == "write"
        self.is_rounded |= rule in ("rounded", "rounded_write", "run", "hook")
        # of second-order graphs values are promised, not the names of nodes
        options = [o for o in RULES[rule] if not (self.second_order and "grad_fn" in o)]
        text = self.take(options)
        self.second_order |= "create_graph" in text

        def fill(hole: re.Match[str]) -> str:
            before = text[: hole.start()].rpartition("\n")[2]
            indent = " " * (len(before) - len(before.lstrip()))
            return self.expand(hole[1]).replace("\n", "\n" + indent)

        return HOLE.sub(fill, text)

    def tensor(self, hole: str) -> str:
        """The name of a tensor to read, the newest first."""
        names = self.tensors()
        if hole in "xyzef":
            kinds = FLOATS if hole == "f" else {*FLOATS, torch.int64, torch.int32}
            names = [n for n in names if self.space[n].dtype in kinds]
        if hole in "ei":
            unsure = self.is_rounded or self.read & self.rounded.keys()
            names = [] if unsure else [n for n in names if n not in self.rounded]
        if self.writes and not self.first:
            names = [n for n in names if self.plain(self.space[n])]
        if hole in "im":
            kind, example = INDEX if hole == "i" else MASK
            names = [example, *(n for n in names if self.space[n].dtype == kind)]
        if hole == "h":  # PyTorch calls hooks of one of several results without a gradient, too
            names = [n for n in names if not self.one_of_several(self.space[n])]
        if hole in "yz" and self.first and self.take(range(8)):
            names = [n for n in names if self.fits(n)] or names
        name = self.take(names or ["torch.tensor([0.5, -1.0])[:]"])
        self.first = self.first or name
        self.read.add(name)
        return name

    def one_of_several(self, x: torch.Tensor) -> bool:
        try:
            return len(getattr(x.grad_fn, "_input_metadata", [0])) > 1
        except RuntimeError:  # a view that was written in a forbidden way does not say
            return True

    def plain(self, x: torch.Tensor) -> bool:
        """Whether PyTorch writes to it like to any other: no elements share their memory, and it is
        not one of its gradients that are views of a tensor nobody has."""
        named = [x._base is self.space[n] for n in self.tensors()]
        shared = any(n > 1 and not step for n, step in zip(x.shape, x.stride(), strict=True))
        return not shared and (x._base is None or any(named))

    def fits(self, name: str) -> bool:
        """Whether a tensor has the dtype of the first one of the line, and a shape like its."""
        a, b = self.space.get(self.first), self.space[name]
        alike = a is not None and a.dtype == b.dtype
        pairs = zip(reversed(a.shape), reversed(b.shape), strict=False) if alike else ()
        return alike and all(m == n or 1 in (m, n) for m, n in pairs)

    def tensors(self) -> list[str]:
        return [n for n, x in reversed(self.space.items()) if torch.is_tensor(x)]

    def new_name(self) -> str:
        return next((n for n in NAMES if n not in self.space), NAMES[0])

    def add(self, line: str) -> None:
        """Let PyTorch run a line, and write it; if it raises, with its words printed."""
        before, failed = self.numbers(), False
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                exec(line, self.space)
            except Exception:
                failed = True
                line = tried(line)
            after = self.numbers()
        arrays = [x for _, x in after.values()]
        read = self.read & self.rounded.keys()
        steps = 1 + max((self.rounded[n] for n in read), default=0)
        new = [n for n, x in after.items() if differ(before.get(n), x)]
        size = lambda x: np.abs(x[np.isfinite(x)]).max(initial=0)  # noqa: E731
        large = [x for x in arrays if x.size > MANY or size(x) > LARGE]
        large += [n for n in new if read and (steps > STEPS or size(after[n][1]) > SOME)]
        if read:  # a quotient of rounded numbers: what is 0 on one side may be 1e-17 on the other
            large += [x for x in arrays if not np.isfinite(x).all()]
        if any(x.dtype == np.float32 for n, (_, x) in before.items() if n in read):  # off by much
            large += [n for n in new if after[n][1].dtype == np.float64]
        for name in new:
            self.rounded.pop(name, 0)
        self.rounded |= dict.fromkeys(new, steps) if self.is_rounded or read else {}
        # what PyTorch refuses it may have half done, which is a difference that is meant
        self.over = bool(large or (failed and new))
        if not self.over:
            self.lines.append(line)

    def numbers(self) -> dict[str, tuple[int, np.ndarray]]:
        """What each tensor is."""
        values = {n: self.space[n] for n in self.tensors()}
        return {n: (id(x), x.detach().numpy().copy()) for n, x in values.items()}


def tried(lines: str) -> str:
    """Lines whose error, if there is one, is printed."""
    lines = textwrap.indent(lines, "    ")
    return f"try:\n{lines}\nexcept Exception as error:\n    print(type(error).__name__, error)"


def differ(a: Any, b: Any) -> bool:
    return a is None or a[0] != b[0] or a[1].tobytes() != b[1].tobytes()


def write(leaves_and_lines: tuple[list[list[int]], list[list[int]]]) -> str:
    """The program that lists of choices stand for."""
    writer = Writer()
    leaves, lines = leaves_and_lines
    for choices in leaves:
        writer.leaf(choices)
    for choices in lines:
        writer.line(choices)
    if not writer.over:
        writer.start([])
        exact = [n for n in writer.tensors() if n not in writer.rounded]
        writer.add(f"print([t._version for t in [{', '.join(exact)}]])")
    torch.set_grad_enabled(True)
    return "\n".join(writer.lines)


programs = drawn.map(write)


def wrong(program: str) -> str:
    """How the two engines differ on a program; "" if they do not."""
    with contextlib.redirect_stdout(io.StringIO()):
        report = Twin({"__name__": "__main__"}, torch).cell(program)
    if report.agrees:
        return ""
    error = f"{type(report.error).__name__}: {report.error}\n" if report.error else ""
    return f"{error}{report!r}"
