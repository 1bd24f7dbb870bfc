"""Every operation we offer passes torch's own samples for it, checked against torch."""

import opinfo
import pytest
import torch

CASES = [
    pytest.param(op, dtype, id=f"{opinfo.label(op)}-{str(dtype).removeprefix('torch.')}")
    for op in opinfo.operations()
    for dtype in opinfo.DTYPES
    if opinfo.resolve(op.name) is not None
]


@pytest.mark.parametrize(("op", "dtype"), CASES)
def test_operation(op: opinfo.OpInfo, dtype: torch.dtype):
    report = opinfo.examine(op, dtype)
    assert not report.failures, str(report)
    assert report.passed


def test_every_op_is_offered():
    assert opinfo.missing() == []
