"""Every operation we offer passes torch's own samples for it, checked against torch."""

import opinfo
import pytest
import torch


@pytest.mark.parametrize("dtype", opinfo.DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("name", opinfo.NAMES)
def test_operation(name: str, dtype: torch.dtype):
    variants = opinfo.database()[name]
    assert variants
    for op in variants:
        report = opinfo.examine(op, dtype)
        assert not report.failures, f"{opinfo.label(op)}: {report}"
        assert report.passed


def test_every_op_is_offered():
    assert opinfo.missing() == []
