# ruff: noqa: E501 - one program, one line
"""no_grad, enable_grad, set_grad_enabled, inference_mode: nesting, decorators, threads, errors."""

import pytest
from twins import assert_twins

START = """
x = torch.tensor([1., 2., 3.], requires_grad=True)
"""

PROGRAMS = [
    "with torch.inference_mode(): _i = torch.ones(3)\n_i.add_(1)",
    "with torch.inference_mode(): i = torch.ones(3)\ni._version",
    "with torch.inference_mode(): i = torch.ones(3)\nx * i",
    "with torch.inference_mode(): i = torch.ones(3)\nprint((x + i).requires_grad, i.is_inference(), i[1:].is_inference(), (i * 2).is_inference())",
    "with torch.inference_mode(): i = torch.ones(3)\ni.requires_grad_()",
    "with torch.inference_mode(): i = torch.ones(3); i.add_(1); print(i, torch.is_grad_enabled(), torch.is_inference_mode_enabled())",
    "with torch.inference_mode(): i = torch.ones(3, requires_grad=True); print(i.requires_grad, (i * 2).requires_grad, i.is_leaf)",
    "y = x * 2\nwith torch.inference_mode(): y.add_(1); print(y._version, y.is_inference()); v = y[1:]; print(v.is_inference())\nv.mul_(2)",
    "with torch.inference_mode(False): y = x * 2; print(torch.is_inference_mode_enabled())",
    "with torch.inference_mode():\n  with torch.inference_mode(False): y = x * 2\n  z = x * 2; print(y.requires_grad, z.requires_grad)\ndel z",
    "@torch.inference_mode()\ndef f(a): return a * 2\nprint(f(x).requires_grad, f.__name__)",
    "@torch.no_grad()\ndef f(a): return a * 2\nprint(f(x).requires_grad, f.__name__)",
    "@torch.no_grad\ndef f(a): return a * 2\nprint(f(x).requires_grad)",
    "@torch.enable_grad()\ndef f(a): return a * 2\nwith torch.no_grad(): print(f(x).requires_grad)",
    "with torch.no_grad():\n  with torch.enable_grad(): y = x * 2\n  z = x * 2",
    "with torch.set_grad_enabled(False): y = x * 2\nz = x * 2",
    "torch.set_grad_enabled(False); y = x * 2; torch.set_grad_enabled(True); z = x * 2",
    "@torch.set_grad_enabled(False)\ndef f(a): return a * 2\nprint(f(x).requires_grad, torch.is_grad_enabled()); torch.set_grad_enabled(True)",
    "try:\n  with torch.no_grad(): raise KeyError\nexcept KeyError: print(torch.is_grad_enabled())",
    "from threading import Thread\nseen = []\nwith torch.no_grad():\n  t = Thread(target=lambda: seen.append(torch.is_grad_enabled())); t.start(); t.join()\nprint(seen); del t",
    "with torch.no_grad(): r = x.numpy()\nx.numpy()",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_modes(program: str) -> None:
    assert_twins(START + program)
