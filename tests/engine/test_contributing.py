"""The operation that CONTRIBUTING.md adds as its example passes PyTorch's samples, once added."""

import re
from pathlib import Path

import opinfo
import torch

import autogradlab
from autogradlab.derivatives import elementwise as formulas
from autogradlab.ops import elementwise as ops

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_example_is_an_operation(monkeypatch):
    code, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    space = {**vars(formulas), "ONE_NUMBER": {}}
    exec(code, space)
    (name,), (words,) = space["ONE_NUMBER"], space["ONE_NUMBER"].values()
    function = ops.unary(name, space[name], words)
    monkeypatch.setattr(autogradlab, name, function, raising=False)
    monkeypatch.setattr(autogradlab.Tensor, name, function, raising=False)
    (entry,) = opinfo.database()[name]
    report = opinfo.examine(entry, torch.float64)
    assert report.passed and not report.failures, str(report)
