"""Random programs do on both engines the same: values, gradients, graphs, texts, errors."""

import pytest
from cells import programs, wrong
from hypothesis import HealthCheck, given, settings


@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(programs)
def test_random_programs(program: str) -> None:
    difference = wrong(program)
    if difference:
        pytest.fail(f"\n{program}\n\n{difference}", pytrace=False)
