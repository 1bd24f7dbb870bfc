"""The same random numbers as the installed PyTorch: values, states and errors."""

import doctest

import numpy as np
import pytest
import torch

from autogradlab import random, tensor

SEEDS = [0, 1, 2, 42, 12345, -1, -5, -(2**63), 2**31, 2**32, 2**32 + 7, 2**63, 2**64 - 1]
SIZES = [*range(41), 623, 624, 625, 1000]
FLOATS = ["float16", "float32", "float64"]
# torch has a path without vector instructions, which rounds otherwise: angles of normals less
# often, which float32 shows in the sixth digit; scaled uniforms twice instead of once
VECTORISED = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
NORMAL_ULPS = {"float16": 1, "float32": 4 if VECTORISED else 24, "float64": 2}
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]


@pytest.fixture(autouse=True)
def _keep_torchs_state():
    with torch.random.fork_rng(devices=[]):
        yield


def outcome(function, *args):
    """The type and text of the error a call raises."""
    with pytest.raises(Exception) as error:
        function(*args)
    return error.type, str(error.value)


def torch_state():
    return torch.get_rng_state().numpy()


def seeded(seed):
    """Our generator and torch's default one, started alike."""
    torch.manual_seed(seed)
    return random.Generator().manual_seed(seed)


def check_normal(ours, theirs, generator):
    check(ours, theirs, generator, ulps=NORMAL_ULPS[ours.dtype.name])


def check_uniform(ours, theirs, generator, low, high):
    """Exactly the same where torch rounds once."""
    check(ours, theirs, generator, ulps=0 if VECTORISED else 1, largest=max(abs(low), abs(high)))


def check(ours, theirs, generator, ulps=0, largest=1):
    """Same dtype, shape, numbers; and both generators have moved equally far."""
    theirs = theirs.numpy()
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    if ulps:  # of what is rounded: at least of 1, for normals; of the larger bound, for uniforms
        size = np.maximum(abs(theirs), theirs.dtype.type(largest))
        allowed = ulps * np.spacing(size).astype(float)
        assert (abs(ours.astype(float) - theirs.astype(float)) <= allowed).all()
    else:
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(generator.get_state(), torch_state())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FLOATS)
def test_floats(seed, name):
    """Of all sizes, drawn one after another from one stream."""
    ours, dtype = np.dtype(name), getattr(torch, name)
    g = seeded(seed)
    for n in SIZES:
        check(g.rand((n,), ours), torch.rand(n, dtype=dtype), g)
        check_normal(g.randn((n,), ours), torch.randn(n, dtype=dtype), g)
        check_uniform(g.uniform(-0.3, 2.7, (n,), ours),
                      torch.empty(n, dtype=dtype).uniform_(-0.3, 2.7), g, -0.3, 2.7)
        check_normal(g.normal(1.5, 0.3, (n,), ours),
                     torch.empty(n, dtype=dtype).normal_(1.5, 0.3), g)
        p = torch.linspace(0, 1, n, dtype=dtype)
        check(g.bernoulli(p.numpy(), (n,), ours), torch.bernoulli(p), g)
        # a number p draws as a float64 array does (torch built on MKL has a stream of its own
        # for numbers on Intel processors, so the array stands in)
        check(g.bernoulli(0.3, (n,), ours),
              torch.empty(n, dtype=dtype).bernoulli_(torch.full((n,), 0.3, dtype=torch.float64)),
              g)


@pytest.mark.parametrize("seed", SEEDS)
def test_integers_and_permutations(seed):
    g = seeded(seed)
    for n in SIZES:
        for low, high in [(0, 1), (0, 10), (-7, 120), (5, 100)]:
            for name in [*INTEGERS, *FLOATS]:
                if low >= 0 or name != "uint8":
                    check(g.randint(low, high, (n,), np.dtype(name)),
                          torch.randint(low, high, (n,), dtype=getattr(torch, name)), g)
        check(g.randint(0, 2, (n,), np.dtype(bool)),
              torch.randint(0, 2, (n,), dtype=torch.bool), g)
        check(g.randperm(n, np.dtype("int64")), torch.randperm(n), g)
        for name in [*INTEGERS, *FLOATS]:
            check(g.randperm(min(n, 100), np.dtype(name)),
                  torch.randperm(min(n, 100), dtype=getattr(torch, name)), g)


@pytest.mark.parametrize("span", [2**27, 2**28 - 1, 2**28, 2**28 + 1, 2**31, 2**32 - 1, 2**32,
                                  2**32 + 1, 2**40, 2**63 - 1, 2**64 - 1])
def test_integers_from_large_ranges(span):
    g = seeded(3)
    for low in {-(2**63), min(-5, 2**63 - 1 - span), 2**63 - 1 - span}:
        check(g.randint(low, low + span, (50,), np.dtype("int64")),
              torch.randint(low, low + span, (50,)), g)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(("low", "high"), [(0, 1e-3), (1, 1 + 3e-7), (5, 5), (-1 / 3, 1 / 3),
                                           (1, 100.3), (-6e4, 5e3), (0, 0)])
def test_uniforms_between_any_bounds(name, low, high):
    g = seeded(11)
    check_uniform(g.uniform(low, high, (20000,), np.dtype(name)),
                  torch.empty(20000, dtype=getattr(torch, name)).uniform_(low, high), g, low, high)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_uniforms_between_huge_bounds(name):
    high = float(np.finfo(name).max) * 0.99
    g = seeded(11)
    check_uniform(g.uniform(0, high, (1000,), np.dtype(name)),
                  torch.empty(1000, dtype=getattr(torch, name)).uniform_(0, high), g, 0, high)


@pytest.mark.parametrize("name", FLOATS)
def test_many_numbers(name):
    g = seeded(5)
    ours, dtype = np.dtype(name), getattr(torch, name)
    check(g.rand((100_000,), ours), torch.rand(100_000, dtype=dtype), g)
    check_normal(g.randn((100_000,), ours), torch.randn(100_000, dtype=dtype), g)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 3), (4, 5), (2, 3, 4)])
def test_shapes(shape):
    g, ours = seeded(0), np.dtype("float32")
    check(g.rand(shape, ours), torch.rand(shape), g)
    check_normal(g.randn(shape, ours), torch.randn(shape), g)
    check(g.randint(0, 9, shape, np.dtype("int64")), torch.randint(0, 9, shape), g)
    check(g.bernoulli(np.full(shape, 0.5, ours), shape, ours), torch.full(shape, 0.5).bernoulli(),
          g)


@pytest.mark.parametrize("seed", range(8))
def test_interleaved_draws(seed):
    """Any order of draws, so that the kept half of a pair of normals is met by every other draw."""
    order, g = np.random.default_rng(seed), seeded(seed)
    for _ in range(300):
        n, name = int(order.integers(0, 20)), str(order.choice(FLOATS))
        ours, dtype = np.dtype(name), getattr(torch, name)
        match order.integers(5):
            case 0:
                check(g.rand((n,), ours), torch.rand(n, dtype=dtype), g)
            case 1 | 2:
                check_normal(g.randn((n,), ours), torch.randn(n, dtype=dtype), g)
            case 3:
                check(g.randint(0, 99, (n,), ours), torch.randint(0, 99, (n,), dtype=dtype), g)
            case 4:
                check(g.randperm(n, ours), torch.randperm(n, dtype=dtype), g)


@pytest.mark.parametrize("draws", [0, 1, 7, 16, 33, 624, 1248, 1300])
@pytest.mark.parametrize("normals", [0, 3])
def test_a_state_moves_both_ways(draws, normals):
    g = seeded(9)
    g.rand((draws,), np.dtype("float32"))
    g.randn((normals,), np.dtype("float64"))
    torch.set_rng_state(torch.from_numpy(g.get_state().numpy()))
    np.testing.assert_array_equal(torch_state(), g.get_state())
    other = random.Generator()
    other.set_state(tensor(torch_state()))
    assert other.initial_seed() == torch.initial_seed() == 9
    check_normal(other.randn((5,), np.dtype("float32")), torch.randn(5), other)
    check(other.rand((700,), np.dtype("float32")), torch.rand(700), other)


def test_a_state_is_a_copy():
    g = random.Generator().manual_seed(1)
    before = g.get_state()
    g.get_state()[:] = 0
    kept = before.clone()
    first = g.rand((5,), np.dtype("float32"))
    np.testing.assert_array_equal(before, kept)
    g.set_state(before)
    np.testing.assert_array_equal(g.rand((5,), np.dtype("float32")), first)


@pytest.mark.parametrize("wrong", [
    np.zeros(5056, np.float32), np.zeros(5056, np.uint8), np.full(5056, 255, np.uint8),
    np.zeros(5055, np.uint8), np.zeros(3, np.uint8), np.zeros((2, 2528), np.uint8),
], ids=lambda a: f"{a.dtype}{a.shape}{a.flat[0]}")
def test_a_wrong_state_is_refused_and_changes_nothing(wrong):
    g = seeded(4)
    before = g.get_state()
    theirs = torch.from_numpy(wrong)
    assert outcome(g.set_state, tensor(wrong)) == outcome(torch.set_rng_state, theirs)
    assert outcome(g.set_state, 3) == outcome(torch.set_rng_state, 3)
    np.testing.assert_array_equal(g.get_state(), before)


@pytest.mark.parametrize(("byte", "value"), [(8, 0), (8, 7), (12, 0), (16, 9), (20, 255)])
def test_a_state_no_generator_has_is_refused(byte, value):
    """Where torch would take it and read past the end of the state, too."""
    g = seeded(4)
    g.rand((100,), np.dtype("float32"))
    before = g.get_state()
    wrong = before.clone()
    wrong[byte] = value
    invalid = outcome(torch.set_rng_state, torch.zeros(5056, dtype=torch.uint8))
    assert outcome(g.set_state, wrong) == invalid
    np.testing.assert_array_equal(g.get_state(), before)


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(seed):
    ours, theirs = random.Generator(), torch.Generator()
    assert ours.initial_seed() == theirs.initial_seed()
    np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())
    assert ours.manual_seed(seed) is ours
    assert ours.initial_seed() == theirs.manual_seed(seed).initial_seed()


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 1.5, "7", True, None])
def test_wrong_seeds(seed):
    g = random.Generator()
    before = g.get_state()
    assert outcome(g.manual_seed, seed) == outcome(torch.Generator().manual_seed, seed)
    np.testing.assert_array_equal(g.get_state(), before)


def test_the_default_generator():
    kept = random.default_generator.get_state()
    for seed in (3, -1, 2.7, "12", np.int64(5), True):
        assert random.manual_seed(seed) is random.default_generator
        torch.manual_seed(seed)
        assert random.initial_seed() == torch.initial_seed()
    for seed in ("a", None, 2**64):
        assert outcome(random.manual_seed, seed) == outcome(torch.manual_seed, seed)
    seeds = {random.seed() for _ in range(3)}
    assert len(seeds) == 3 and random.initial_seed() in seeds
    random.default_generator.set_state(kept)


ERRORS = {
    "rand of integers": (lambda g: g.rand((2,), np.dtype("uint8")),
                         lambda: torch.rand(2, dtype=torch.uint8)),
    "randn of integers": (lambda g: g.randn((2,), np.dtype("int64")),
                          lambda: torch.randn(2, dtype=torch.int64)),
    "negative size": (lambda g: g.rand((2, -1), np.dtype("float32")), lambda: torch.rand(2, -1)),
    "uniform upside down": (lambda g: g.uniform(1, 0.5, (3,), np.dtype("float32")),
                            lambda: torch.empty(3).uniform_(1, 0.5)),
    "uniform beyond the type": (lambda g: g.uniform(-1e39, 1, (3,), np.dtype("float32")),
                                lambda: torch.empty(3).uniform_(-1e39, 1)),
    "uniform up to nan": (lambda g: g.uniform(0, float("nan"), (3,), np.dtype("float32")),
                          lambda: torch.empty(3).uniform_(0, float("nan"))),
    "uniform too wide": (lambda g: g.uniform(-3e38, 3e38, (3,), np.dtype("float32")),
                         lambda: torch.empty(3).uniform_(-3e38, 3e38)),
    "negative std": (lambda g: g.normal(0, -1.5, (3,), np.dtype("float32")),
                     lambda: torch.empty(3).normal_(0, -1.5)),
    "empty range": (lambda g: g.randint(5, 3, (2,), np.dtype("int64")),
                    lambda: torch.randint(5, 3, (2,))),
    "range beyond int64": (lambda g: g.randint(0, 2**63, (2,), np.dtype("int64")),
                           lambda: torch.randint(0, 2**63, (2,))),
    "low beyond the type": (lambda g: g.randint(-1, 3, (2,), np.dtype("uint8")),
                            lambda: torch.randint(-1, 3, (2,), dtype=torch.uint8)),
    "high beyond the type": (lambda g: g.randint(0, 129, (2,), np.dtype("int8")),
                             lambda: torch.randint(0, 129, (2,), dtype=torch.int8)),
    "high beyond half": (lambda g: g.randint(0, 2**17, (2,), np.dtype("float16")),
                         lambda: torch.randint(0, 2**17, (2,), dtype=torch.float16)),
    "high beyond bool": (lambda g: g.randint(0, 3, (2,), np.dtype("bool")),
                         lambda: torch.randint(0, 3, (2,), dtype=torch.bool)),
    "negative permutation": (lambda g: g.randperm(-1, np.dtype("int64")),
                             lambda: torch.randperm(-1)),
    "permutation of bools": (lambda g: g.randperm(2, np.dtype("bool")),
                             lambda: torch.randperm(2, dtype=torch.bool)),
    "permutation beyond the type": (lambda g: g.randperm(257, np.dtype("uint8")),
                                    lambda: torch.randperm(257, dtype=torch.uint8)),
    "permutation beyond half": (lambda g: g.randperm(2050, np.dtype("float16")),
                                lambda: torch.randperm(2050, dtype=torch.float16)),
    "probability 2": (lambda g: g.bernoulli(2.0, (3,), np.dtype("float32")),
                      lambda: torch.empty(3).bernoulli_(2.0)),
    "probabilities 2": (lambda g: g.bernoulli(np.full(3, 2.0), (3,), np.dtype("float64")),
                        lambda: torch.full((3,), 2.0, dtype=torch.float64).bernoulli()),
    "integer probabilities": (lambda g: g.bernoulli(np.ones(3, int), (3,), np.dtype("int64")),
                              lambda: torch.ones(3, dtype=torch.int64).bernoulli()),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    """torch's error and text, and no word of the stream is used up."""
    ours, theirs = ERRORS[case]
    g = seeded(2)
    before = g.get_state()
    assert outcome(ours, g) == outcome(theirs)
    np.testing.assert_array_equal(g.get_state(), before)


def test_the_largest_permutations_that_fit():
    g = seeded(2)
    check(g.randperm(256, np.dtype("uint8")), torch.randperm(256, dtype=torch.uint8), g)
    check(g.randperm(2049, np.dtype("float16")), torch.randperm(2049, dtype=torch.float16), g)


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(random).failed == 0
