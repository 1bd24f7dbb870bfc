"""What works where PyTorch is not installed: derivatives checked by finite differences, and every
lesson, which then says in its twin cells that it has nobody to compare with.

Nothing here imports torch: `make torchless PYTHON=python3.13` runs it where there is none. Where it
is installed, it is hidden from the lessons."""

import os
import re
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

import autogradlab
from autogradlab import nn
from autogradlab.autograd import gradcheck, gradgradcheck

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(path for path in NOTEBOOKS.glob("[0-9]*.py"))
HIDE = """
import sys

class Hide:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *rest):
        hidden = name.partition(".")[0] == "torch"
        return None if hidden else self.finder.find_spec(name, *rest)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Hide, sys.meta_path)
"""

# x and y are 2×3, p and q the same and positive, m is 3×2, s a square that can be inverted.
OPERATIONS = """
x + y; x - y; x * y; x / p; x ** 3; p ** x; -x; 2 - x; 2 / p; x.abs(); x.exp(); x.expm1(); p.log()
p.log1p(); p.log2(); p.log10(); p.sqrt(); p.rsqrt(); p.reciprocal(); x.square(); x.sin(); x.cos()
x.tan(); x.sinh(); x.cosh(); x.tanh(); x.atan(); x.sigmoid(); x.relu(); x.erf()
x.clamp(-0.5, 0.5); torch.maximum(x, y); torch.minimum(x, y); torch.where(x > 0, x, y)
torch.atan2(x, p); torch.hypot(x, p); torch.lerp(x, y, 0.3); x.fmod(0.7); torch.logaddexp(x, y)
x.sum(); x.sum(0); x.mean(1, keepdim=True); x.prod(1); x.var(); x.std(0); x.norm(); x.norm(1)
x.amax(1); x.amin(0); x.max(); x.max(1).values; x.min(0)[0]; x.median(); x.cumsum(1); x.cumprod(0)
x.logsumexp(1); x.softmax(1); x.log_softmax(0); x @ m; m @ x; x.matmul(m[:, 0])
torch.addmm(s, x, m); x[0].dot(y[1]); torch.outer(x[0], y[0]); torch.einsum("ij,jk->k", x, m)
torch.bmm(x[None], m[None]); torch.linalg.det(s); torch.linalg.inv(s); torch.linalg.solve(s, x)
x.T; x.reshape(3, 2); x.view(6); x.flatten(); x.unsqueeze(1); x[None].squeeze(0); x.permute(1, 0)
x.expand(4, 2, 3); x.repeat(2, 1); x.flip(0); x.roll(1, 1); x[0]; x[:, 1:]; x[[1, 0, 1]]; x[x > 0]
x.gather(1, torch.tensor([[0, 2], [1, 1]])); x.index_select(1, torch.tensor([2, 0]))
torch.cat([x, y]); torch.stack([x, y], 1); x.split(2, 1)[0]; x.chunk(3, 1)[2]; x.unbind(0)[1]
x.diag(); s.diagonal(); s.tril(); s.triu(); x.sort(1)[0]; x.topk(2, 1)[0]; s.trace()
x.masked_fill(x > 0, 2.0); x.scatter(1, torch.tensor([[0], [1]]), y[:, :1])
x.index_add(0, torch.tensor([0, 1]), y); F.gelu(x); F.silu(x); F.elu(x); F.softplus(x)
F.leaky_relu(x); F.mish(x); F.hardtanh(x); F.logsigmoid(x); F.mse_loss(x, y); F.l1_loss(x, y)
F.smooth_l1_loss(x, y); F.huber_loss(x, y); F.kl_div(x, p, reduction="sum")
F.kl_div(x, p, reduction="sum"); F.cross_entropy(x, torch.tensor([0, 2]))
F.nll_loss(x, torch.tensor([1, 1])); F.binary_cross_entropy_with_logits(x, p.sigmoid())
F.linear(x, m.T); F.layer_norm(x, (3,)); F.conv1d(x[None], y[None]); F.max_pool1d(x[None], 2)
F.avg_pool1d(x[None], 2); F.normalize(x); F.group_norm(x[None], 2)
F.batch_norm(x, None, None, training=True); F.embedding(torch.tensor([1, 0]), x)
"""
EXPRESSIONS = [each.strip() for each in re.split(r"[;\n]", OPERATIONS) if each.strip()]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_first_and_second_derivatives_agree_with_nudges(expression: str):
    torch, F = autogradlab, nn.functional
    torch.manual_seed(0)
    x, y = torch.randn(2, 2, 3, dtype=torch.float64).unbind(0)
    p = torch.rand(2, 3, dtype=torch.float64) + 0.5
    m = torch.randn(3, 2, dtype=torch.float64)
    s = torch.randn(2, 2, dtype=torch.float64) + 3 * torch.eye(2, dtype=torch.float64)
    values = {"x": x, "y": y, "p": p, "m": m, "s": s}
    names = [name for name in values if re.search(rf"\b{name}\b", expression)]
    inputs = [values[name].clone().requires_grad_() for name in names]
    call = eval(f"lambda {', '.join(names)}: {expression}", {"torch": torch, "F": F})
    assert call(*inputs).requires_grad
    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_runs_and_says_that_pytorch_is_missing(path: Path, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    paths = [str(tmp_path), str(NOTEBOOKS.parent), os.environ.get("PYTHONPATH")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = jupytext.read(path)
    notebook.cells.insert(0, new_code_cell(SEE))
    here = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=here).execute()
    put_out = [(cell, str(cell.get("outputs"))) for cell in notebook.cells]
    assert "torch is hidden" in put_out[0][1]
    twins = [out for cell, out in put_out if cell.source.startswith("%%twin")]
    assert [out for out in twins if "PyTorch is not installed" not in out] == []
    assert [out for out in twins if "✗" in out or "same in PyTorch" in out] == []


SEE = """try:
    import torch
except ImportError:
    print("torch is hidden")"""
