"""Arithmetic, functions of numbers, reductions and activations, as lessons and courses call them."""

import numpy as np
import pytest
import torch
from twins import assert_twins

import autogradlab

START = """
F = torch.nn.functional
x = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
p = torch.tensor([0.3, 0.7, 0.9], requires_grad=True)
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], requires_grad=True)
s = torch.tensor(1.5, requires_grad=True)
i = torch.tensor([0, 2, 1])
c = torch.tensor([1., 2., 3.])
b = torch.tensor([True, False, True])
n = torch.tensor([[1., float('nan'), 3.], [float('inf'), 0., -2.]], requires_grad=True)
"""

# Differentiable: each also runs with first and second gradients.
SMOOTH = """
x.div(2, rounding_mode='trunc'); x.div(c, rounding_mode='floor'); torch.true_divide(x, 2); torch.divide(x, c); x.fmod(2); torch.fmod(x, c); x.remainder(2); x % 2; x % c
x.clamp(0, 1); x.clamp(min=0); x.clamp(max=0.); x.clip(-1, 1); x.clamp_min(0); x.clamp_max(0.5); x.clamp(c, c * 2); x.clamp(max=c); x.clamp_min(c); x.clamp(0.5, 2.)
x.lerp(c, 0.25); x.lerp(c, p); torch.lerp(x, c, 0.75); x.addcmul(c, p, value=2); torch.addcmul(x, c, x); x.addcdiv(c, p, value=2); torch.addcdiv(x, p, c)
torch.xlogy(x, p); torch.atan2(x, c); torch.hypot(x, c); torch.logaddexp(x, c); torch.maximum(x, c); torch.minimum(x, x); torch.where(x > 0, x, p)
x.round(); x.round(decimals=1); x.floor(); x.ceil(); x.trunc(); x.fix(); x.sign(); x.nan_to_num(); n.nan_to_num(0., 1., 2.); n.nan_to_num(nan=1); p.logit(); p.logit(0.4); p.logit(eps=1e-6)
p.rsqrt(); p.exp2(); x.expm1(); p.log2(); p.log10(); p.log1p(); x.tan(); p.asin(); p.acos(); x.atan(); x.sinh(); x.cosh(); x.asinh(); c.acosh(); p.atanh(); p.arctan(); x.erf(); x.erfc(); s.erf()
torch.fill(x, 2); torch.fill(x, s); x.masked_fill(b, 0.); x.masked_fill(b, s); m.masked_fill(b, -float('inf')); x.masked_fill(m > 0, 1); x.where(b, c); x.where(x > 0, 0.)
x.clone().mul_(2).add_(1); (x * 1).sin_(); (x * 1).clamp_(0, 1); (x * 1).fill_(3.); (x * 1).masked_fill_(b, 0); (x * 1).sqrt_(); (x * 1).exp_(); (x * 1).abs_(); (x * 1).lerp_(c, 0.5); (x * 1).addcmul_(c, c)
(x * 1).cumsum_(0); F.elu(x * 1, inplace=True); F.leaky_relu(x * 1, inplace=True); F.silu(x * 1, inplace=True); F.relu(x * 1, inplace=True); F.hardtanh(x * 1, inplace=True)
m.prod(); m.prod(1); m.prod(1, keepdim=True); (m - m).prod(0); x.prod(dtype=torch.float64); m.amax(); m.amax(0); m.amin((0, 1)); m.amax([0], keepdim=True); m.round().amax(1); m.aminmax(); m.aminmax(dim=0)
m.median(); m.median(1); m.std(); m.std(0); m.std(0, False); m.std(False); m.std(dim=1, correction=0, keepdim=True); m.var(); m.var(unbiased=False); m.var((0, 1)); torch.std_mean(m); torch.var_mean(m, 0)
m.norm(); m.norm(1); m.norm(2, 0); m.norm('fro'); m.norm('nuc'); m.norm(float('inf')); m.norm(3, 1, True); (x - x).norm(); x.dist(c); x.dist(c, 1); x.dist(x); torch.norm(m, dim=1)
n.nansum(); n.nansum(0); n.nanmean(1); n.nanmean(1, True); m.logsumexp(0); m.logsumexp((0, 1)); torch.logsumexp(m, 1, keepdim=True); m.cumsum(0); m.cumsum(-1); m.cumprod(1); (x * i).cumprod(0)
m[:, :2].trace(); m.trace(); m.diff(); m.diff(dim=0); x.diff(2); x.diff(prepend=c); x.diff(append=x); m.max(1); m.min(0); x.sort(); m.sort(0, descending=True); m.sort(stable=True); m.topk(2); m.topk(1, 0, largest=False)
m.softmax(0); torch.softmax(m, -1); F.softmax(m, dim=1); F.softmax(x, 0, dtype=torch.float64); m.log_softmax(1); F.log_softmax(m, 0); F.softmin(m, 1); s.softmax(0)
F.relu(x); F.relu6(x * 5); F.leaky_relu(x); F.leaky_relu(x, 0.2); F.elu(x); F.elu(x, 2.); F.selu(x); F.gelu(x); F.gelu(x, approximate='tanh'); F.silu(x); F.mish(x); F.softplus(x); F.softplus(x, 2, 1.5); F.softsign(x)
F.hardtanh(x); F.hardtanh(x, -2, 1); F.hardswish(x * 3); F.logsigmoid(x); F.glu(m, 0); F.prelu(x, s); F.prelu(m, p); F.tanh(x); F.sigmoid(x)
"""
PLAIN = """
i // 2; i % 2; i % -2; i.fmod(2.); i.div(2, rounding_mode='floor'); i.div(i + 1, rounding_mode='trunc'); i / 2; i.clamp(0.5); i.clamp(1); i.clamp_min(1.5); i.clamp(1, 2).dtype
i.round(); i.floor(); i.sign(); b.sign(); i.abs(); i.erf(); i.rsqrt(); i.sqrt(); b.exp(); i.nan_to_num(); i.masked_fill(b, 7); i.addcmul(i, i, value=2); torch.atan2(i, i + 1); b.square(); i.square()
i.prod(); b.prod(); b.sum(); i.prod(dtype=torch.float32); i.amax(); i.aminmax(); i.median(); i.nansum(); i.logsumexp(0); i.cumsum(0); b.cumsum(0); i.cumprod(0); i.diff(); b.diff(); i.sort(); b.sort()
m.argsort(); m.argsort(0, True); m.argmax(); m.argmax(keepdim=True); m.argmin(1); m.argmax(0, keepdim=True); s.argmax(); n.max(); n.max(0); n.median(1); n.sort(); n.amax(1); n.argmax(1); s.sort(); s.topk(1)
b.any(); b.all(); m.bool().all(1); (m > 0).any(0, keepdim=True); (m > 0).all((0, 1)); s.std(); torch.ones(0).std(); torch.ones(0).prod(); torch.ones(0).median(); torch.ones(0).logsumexp(0); torch.ones(0).norm()
7 % x; 7 // x; torch.remainder(7., x); torch.floor_divide(7, c); torch.floor_divide(7, 2); x // 2; i // 2.5; 7 % c; 7.5 % (i + 1); True % (i + 1); 7 // (i + 1); 2 in i; 9 in c; i[1] in i; i in i; +x is x; reversed(m); reversed(s)
i << 1; i >> 1; 2 << i; 64 >> i; -i >> 1; i << i.int(); b << 1; i << True; i << 64; i << -1; i >> 70; -i >> 70; i >> -1; torch.tensor([200, 1], dtype=torch.uint8) << 1; torch.tensor([200, 1], dtype=torch.uint8) >> 9
torch.bitwise_left_shift(i, 2); torch.bitwise_left_shift(1, i); i.bitwise_right_shift(1); i.bitwise_and(2); torch.bitwise_xor(i, 3); torch.bitwise_or(4, i); i.__rrshift__(200); i.clone().bitwise_not_(); torch.positive(c)
torch.isclose(n, n); n.isclose(n, equal_nan=True); c.isclose(c + 1e-6); i.isclose(i + 1, rtol=0.5, atol=1); b.isclose(b); torch.isclose(c, c[:1]); torch.isclose(c / 0, -c / 0); torch.isclose(x, x)
~b; b & b; b | False; b ^ b; x == c; 2 < c; i.eq(2); i.logical_not(); n.isnan(); n.isfinite(); torch.isnan(x); F.hardsigmoid(x); F.relu(i); F.hardtanh(i); torch.rsub(x, 2); torch.softmax(i, 0, dtype=torch.float32)
n.isinf(); torch.isinf(c / 0); i.isinf(); (0 * x).isinf(); n.count_nonzero(); i.count_nonzero(0); m.count_nonzero(1); (m > 0).count_nonzero((0, 1)); s.count_nonzero(dim=()); torch.zeros(0, 3).count_nonzero(0)
x.numpy(force=True); (x * 2).numpy(force=True).sum(); x.numpy(force=False)
i.nonzero(); m.nonzero(); m.nonzero().stride(); b.nonzero(); n.nonzero(); torch.nonzero(x); (m * 0).nonzero(); s.nonzero(); (s * 0).nonzero(); torch.zeros(0, 3).nonzero(); torch.nonzero(m, as_tuple=True); s.nonzero(as_tuple=True)
torch.where(m > 0); torch.where(s); torch.where(s * 0); torch.where(b)[0]._is_view(); x.where(x > 0, 0.).nonzero(as_tuple=True); torch.func.jvp(lambda v: v * v.nonzero().sum(), (c,), (c,))
torch.tensor([3], dtype=torch.uint8).sum(); torch.tensor([1.5, 2.5, -0.5]).round(); torch.tensor([0.1, 0.2], dtype=torch.float16).softmax(0); torch.tensor([1., 2.], dtype=torch.float16).exp()
torch.erf(torch.linspace(-4, 4, 9, dtype=torch.float64)); torch.erfc(torch.linspace(-2, 9, 12, dtype=torch.float64)); F.gelu(torch.linspace(-6, 6, 9)); torch.linspace(-3, 3, 7).sigmoid().logit()
"""
ERRORS = """
torch.maximum(x, 2); torch.hypot(x, 2.); i.div(2, rounding_mode='x'); i % 0; i.fmod(0); x.clamp(); torch.lerp(x, c.double(), .5); torch.abs(3); torch.exp('a'); torch.add(x, 'a'); x + torch.ones(2)
(7 % x).sum().backward(); (7 // x).sum().backward(); 7 % i; 7 // i; 'a' in i; +b; torch.positive(b); i << 1.5; 1.5 << i; x << 1; x >> x; b << b; i | 1.5; x ^ 1; c & c; i << 'a'
torch.isclose(i, c); torch.isclose(c, c.double()); torch.isclose(c, torch.ones(2)); torch.isclose(c, 1.); torch.isclose(1., c); torch.isclose(i, i, rtol=-1); torch.isclose(c, c, atol=-.5)
torch.hypot(i, i); torch.logaddexp(i, i); b.abs(); -b; b - b; b - 1; i.round(decimals=1); torch.fill(x, c); x.masked_fill(i, 2); x.masked_fill(b, c); x.masked_fill(torch.ones(2) > 0, 1); i.addcdiv(i, i)
m.sum(5); m.prod(5); m.amax(5); m.amax((0, 0)); m.logsumexp(5); m.cumsum(5); m.std(5); m.median(5); m.norm(2, 5); m.softmax(3); m.sort(4); m.topk(5); m.topk(1, 7); x.trace(); s.diff(); x.diff(-1)
torch.zeros(0).amax(); torch.zeros(0, 3).amax(0); torch.zeros(0, 3).median(0); torch.zeros(2, 0).aminmax(); torch.zeros(2, 0).aminmax(dim=1); torch.zeros(0).max(); torch.zeros(0, 2).max(0); torch.zeros(0, 2).argmax(0)
torch.nonzero([1]); torch.where([1]); m.nonzero(as_tuple=1); torch.isinf(3); torch.count_nonzero([1]); m.count_nonzero(5); m.count_nonzero((0, 0)); torch.vmap(lambda r: r.nonzero())(m); torch.vmap(lambda r: torch.where(r))(m)
i.var(); i.std(); i.norm(); i.mean(); F.softmax(i, 0); F.log_softmax(i, 0); F.silu(i); F.mish(i); F.gelu(i); F.elu(i); F.leaky_relu(i); F.softplus(i); F.gelu(x, approximate='x'); F.hardtanh(x, 2, 1); F.glu(m); F.glu(s)
F.prelu(m, torch.ones(2)); F.prelu(x, torch.ones(3)); F.relu(x, inplace=True); x.mul_(2); x.sin_(); x.zero_(); x.fill_(1); i.add_(1.5); i.div_(2); i.exp_(); x.detach().add_(torch.ones(2, 3)); F.softmax(m); F.softmin(x)
y = x * 1; z = y.sin(); y.cos_(); z.sum().backward()
"""
# A value that was saved and is then changed: backward refuses where torch refuses.
SAVING = """
y.sin(); y.exp(); y + c; y * c; c * y; y / c; c / y; y.clamp(0, 1); y.abs(); y.sqrt(); y.tanh(); y.masked_fill(y > 0, 1.); torch.where(y > 0, y, c); torch.maximum(y, c); y.lerp(c, 0.5)
y.sum(); y.mean(); y.prod(); y.amax(); y.max(); y.max(0)[0]; y.sort()[0]; y.std(); y.var(); y.norm(); y.cumsum(0); y.cumprod(0); y.softmax(0); y.logsumexp(0); y.median(0)[0]; y.nansum(); y.round(); y.atan2(c)
F.gelu(y); F.relu(y); F.elu(y); F.softplus(y); F.logsigmoid(y); F.leaky_relu(y); F.hardtanh(y); y.nan_to_num(); y.addcmul(c, c); y.addcdiv(c, c); y.reciprocal(); y ** 2; y.log1p(); y.hypot(c); y.erf()
"""

# Masks, and indices that are an output, are saved as well.
SAVED_CHOICES = """
k = b.clone(); r = torch.where(k, y, c); k.fill_(True); r.sum().backward()
k = b.clone(); r = y.masked_fill(k, 0.); k.fill_(True); r.sum().backward()
r, k = y.max(0); k.fill_(0); r.backward()
r, k = y.median(0, keepdim=True); k.fill_(0); r.backward()
r, k = y.sort(); k.add_(0); r.sum().backward()
r, k = y.topk(2); r.mul_(2); r.sum().backward()
r, k = torch.std_mean(y); k.mul_(2); r.backward()
r, k = torch.std_mean(y); r.mul_(2); k.backward()
"""


def each(text: str) -> list[str]:
    return [part.strip() for line in text.split("\n") for part in line.split(";") if part.strip()]


@pytest.mark.parametrize("expression", each(SMOOTH + PLAIN))
def test_value_and_graph(expression: str) -> None:
    assert_twins(START + f"r = {expression}")


@pytest.mark.parametrize("line", [line for line in ERRORS.split("\n") if line])
def test_errors(line: str) -> None:
    if "=" in line and "backward" in line:
        assert_twins(START + line)
        return
    for expression in each(line):
        assert_twins(START + f"r = {expression}")


@pytest.mark.parametrize("expression", each(SMOOTH))
def test_gradient_and_second_gradient(expression: str) -> None:
    assert_twins(
        "torch.set_default_dtype(torch.float64)"
        + START
        + f"""
r = {expression}
r = r if torch.is_tensor(r) else r[0]
leaves = [x, p, m, s, n]
if r.requires_grad:
    g = torch.autograd.grad((r * r).sum(), leaves, create_graph=True, allow_unused=True)
    total = sum((v.sin().sum() for v in g if v is not None), 0 * x.sum())
    total.backward()
    values, slopes = [v.detach() if v is not None else None for v in g], [v.grad for v in leaves]
    del g, total, leaves
torch.set_default_dtype(torch.float32)
"""
    )


@pytest.mark.parametrize("expression", each(SAVING))
@pytest.mark.parametrize("changed", ["y", "r"])
def test_saved_values(expression: str, changed: str) -> None:
    assert_twins(START + f"y = x * 1\nr = {expression}\n{changed}.mul_(2)\nr.sum().backward()")


@pytest.mark.parametrize("statement", [line for line in SAVED_CHOICES.split("\n") if line])
def test_saved_choices(statement: str) -> None:
    # Torch words the type of a mask and the shape of indices in ways of its own.
    assert_twins(
        START
        + f"""
y, changed = x * 1, False
try:
    {statement}
except RuntimeError as error:
    changed = 'modified by an inplace operation' in str(error)
r = k = 0
"""
    )


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_error_function_to_its_last_digits(name: str) -> None:
    x = np.concatenate([np.linspace(-6, 26, 20_001), [0.0, np.inf, -np.inf, np.nan]])
    ours = getattr(autogradlab, name)(autogradlab.from_numpy(x)).numpy()
    theirs = getattr(torch, name)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_max_ulp(ours[:-1], theirs[:-1], maxulp=16)
    assert np.isnan(ours[-1])
