"""Datasets, samplers and the loader: the same order and the same batches as PyTorch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autogradlab
from tests.engine.twins import ENGINES, assert_twins, run

SEEDS = st.one_of(st.integers(0, 100), st.integers(-(2**63), 2**64 - 1))


def state(engine, generator=None):
    own = engine.get_rng_state() if generator is None else generator.get_state()
    return own.tolist()


@settings(max_examples=150, deadline=None)
@given(
    seed=SEEDS,
    size=st.integers(1, 300),
    batch_size=st.one_of(st.none(), st.integers(1, 70)),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    own_generator=st.booleans(),
    stop=st.one_of(st.none(), st.integers(0, 4)),
)
def test_order_and_what_it_draws(
    seed, size, batch_size, shuffle, drop_last, own_generator, stop
):
    """Two epochs, the first perhaps broken off; then the random numbers stand where torch's do."""
    seen = []
    for engine in ENGINES:
        engine.manual_seed(seed)
        generator = engine.Generator().manual_seed(seed) if own_generator else None
        loader = engine.utils.data.DataLoader(
            range(size),
            batch_size,
            shuffle,
            drop_last=drop_last and batch_size is not None,
            generator=generator,
        )
        batches = []
        for epoch in range(2):
            for i, batch in enumerate(loader):
                if epoch == 0 and i == stop:
                    break
                batches.append(batch if batch_size is None else batch.tolist())
        drawn = state(engine), generator and state(engine, generator)
        seen.append((batches, len(loader), engine.randn(3).tolist(), drawn))
    (ours, *rest), (theirs, *their_rest) = seen
    assert (ours, rest) == (theirs, their_rest)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    size=st.integers(1, 100),
    replacement=st.booleans(),
    count=st.one_of(st.none(), st.integers(1, 200)),
    own_generator=st.booleans(),
)
def test_random_sampler(seed, size, replacement, count, own_generator):
    seen = []
    for engine in ENGINES:
        engine.manual_seed(seed)
        generator = engine.Generator().manual_seed(seed) if own_generator else None
        sampler = engine.utils.data.RandomSampler(range(size), replacement, count, generator)
        order = list(sampler), list(sampler)
        seen.append((order, len(sampler), state(engine), generator and state(engine, generator)))
    assert seen[0] == seen[1]


@pytest.mark.filterwarnings("ignore:Length of split")
@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 200), st.lists(st.integers(1, 10), min_size=1, max_size=4))
def test_random_split(seed, size, shares):
    fractions = [share / sum(shares) for share in shares]
    seen = []
    for engine in ENGINES:
        engine.manual_seed(seed)
        parts = engine.utils.data.random_split(range(size), fractions)
        generator = engine.Generator().manual_seed(seed)
        again = engine.utils.data.random_split(range(size), [size, 0], generator)
        seen.append([list(part.indices) for part in (*parts, *again)] + [state(engine)])
    assert seen[0] == seen[1]


START = """
from collections import OrderedDict, namedtuple
from torch.utils.data import (BatchSampler, DataLoader, Dataset, RandomSampler, Sampler,
    SequentialSampler, Subset, SubsetRandomSampler, TensorDataset, default_collate,
    default_convert, random_split)
x = torch.arange(10.0).reshape(5, 2)
y = torch.tensor([0, 1, 0, 1, 1])
_data = TensorDataset(x, y)
class Squares(Dataset):
    def __len__(self): return 6
    def __getitem__(self, i): return i * i
"""


@pytest.mark.parametrize(
    "code",
    [
        # datasets
        "n = len(_data); s = _data[3]; part = _data[1:3]; some = _data[[0, 4]]",
        "w = x.clone().requires_grad_(); s = TensorDataset(w)[2]",
        "_d = Subset(_data, [4, 0]); n = len(_d); s = _d[1]; t = _d[[0, 1]]",
        "_d = Subset(Subset(Squares(), [5, 3, 1]), [2, 0]); s = [_d[0], _d[1]]\n"
        "b = list(DataLoader(_d))",
        "_a, _b = random_split(_data, [3, 2]); s = _a[0]; n = len(_a), len(_b)",
        "parts = [len(p) for p in random_split(range(10), [0.34, 0.33, 0.33])]",
        "parts = [len(p) for p in random_split(range(2), [0.5, 0.25, 0.25])]",
        # loaders
        "b = list(DataLoader(_data, batch_size=2)); n = len(DataLoader(_data, batch_size=2))",
        "b = list(DataLoader(_data, batch_size=2, drop_last=True))",
        "_l = DataLoader(_data, batch_size=3, shuffle=True); b = list(_l), list(_l)",
        "b = list(DataLoader(Squares(), 4)); c = list(DataLoader(Squares(), batch_size=None))",
        "b = next(iter(DataLoader(_data, batch_size=64, shuffle=True)))",
        "b = list(DataLoader([], batch_size=2)); n = len(DataLoader([]))",
        "b = list(DataLoader(_data, 2, collate_fn=lambda samples: [s[1].item() for s in samples]))",
        "b = list(DataLoader(_data, 2, sampler=[4, 4, 0]))\n"
        "c = list(DataLoader(_data, sampler=[1]))",
        "b = list(DataLoader(_data, batch_sampler=[[4], [0, 2]]))",
        "b = list(DataLoader(_data, 2, sampler=SubsetRandomSampler([1, 3, 4])))",
        "_s = SubsetRandomSampler([1, 3], torch.Generator().manual_seed(3))\n"
        "o = list(_s); n = len(_s)",
        "_s = BatchSampler(SequentialSampler(_data), 2, True); o = list(_s); n = len(_s)",
        "_l = DataLoader(_data, 2); p = _l.batch_size, _l.drop_last, _l.num_workers\n"
        "same = _l.dataset is _data; pinned = _l.pin_memory\n"
        "kinds = type(_l.sampler).__name__, type(_l.batch_sampler).__name__",
        "for i in range(2):\n    for j, (a, b) in enumerate(DataLoader(_data, 2, shuffle=True)):\n"
        "        print(i, j, a, b)",
        "class Whole(Dataset):\n    def __getitems__(self, indices): return [-i for i in indices]\n"
        "    def __len__(self): return 5\n"
        "b = list(DataLoader(Whole(), 2)); c = list(DataLoader(Subset(Whole(), [4, 1, 2]), 2))",
        "class Eager(Sampler):\n    def __iter__(self): return iter(torch.randperm(5).tolist())\n"
        "    def __len__(self): return 5\n"
        "b = list(DataLoader(_data, 2, sampler=Eager())); r = torch.rand(2)",
        "b = list(DataLoader(_data, 2, pin_memory=True))",
        "_typed: Dataset[int] = Squares(); n = DataLoader[int](_typed).batch_size",
        # collation
        "c = default_collate([1, 2]), default_collate([True, False]), default_collate([0.5, 1])",
        "c = default_collate([np.float32(1), np.float32(2)]), default_collate([np.int8(3)])",
        "c = default_collate([np.float64(1), 2.0]), default_collate([np.bool_(True)])",
        "c = default_collate([np.ones(2), np.zeros(2)]), default_collate([np.array(1, np.int32)])",
        "c = default_collate(['a', 'b']), default_collate([('a', 1), ('b', 2)])",
        "c = default_collate([{'x': x[0], 'y': 1}, {'x': x[1], 'y': 2}])",
        "c = default_collate([OrderedDict(x=1), OrderedDict(x=2)])",
        "P = namedtuple('P', 'x y'); c = default_collate([P(1, x[0]), P(2, x[1])])",
        "c = default_collate([[1, (2.0, x)], [3, (4.0, x)]]), default_collate([(), ()])",
        "w = x.clone().requires_grad_(); c = default_collate([w, w])",
        "c = default_convert((1, np.ones(2), 'a', {'k': np.float32(2)}, x, None, [np.array('s')]))",
        "P = namedtuple('P', 'x y'); c = default_convert(P(np.zeros(1), 'y'))",
    ],
)
def test_programs(code):
    assert_twins(START + code)
    assert not run(START + code, autogradlab)[1]


@pytest.mark.parametrize(
    "code",
    [
        "Dataset()[0]",
        "len(Dataset())",
        "TensorDataset(x, y[:3])",
        "_data[7]",
        "random_split(_data, [3, 3])",
        "random_split(_data, [1.5, -0.5])",
        "list(Sampler())",
        "DataLoader([], shuffle=True)",
        "RandomSampler(_data, replacement=1)",
        "RandomSampler(_data, num_samples=0)",
        "RandomSampler(_data, num_samples=1.5)",
        "BatchSampler([1], 0, False)",
        "BatchSampler([1], True, False)",
        "BatchSampler([1], 2, 1)",
        "DataLoader(_data, batch_size=0)",
        "DataLoader(_data, batch_size=2.0)",
        "DataLoader(_data, num_workers=-1)",
        "DataLoader(_data, sampler=[0], shuffle=True)",
        "DataLoader(_data, batch_sampler=[[0]], batch_size=2)",
        "DataLoader(_data, batch_sampler=[[0]], drop_last=True)",
        "DataLoader(_data, batch_size=None, drop_last=True)",
        "DataLoader(_data).batch_size = 3",
        "DataLoader(_data).dataset = x",
        "default_collate([None])",
        "default_collate([np.array(['a'])])",
        "default_collate([x, x[:2]])",
        "default_collate([[1], [1, 2]])",
        "default_collate([{'a': 1}, {'b': 1}])",
        "next(iter(DataLoader([x, y[:1]], batch_size=2)))",
        "next(iter(DataLoader(_data, sampler=[9])))",
        "next(iter(DataLoader([])))",
    ],
)
def test_errors(code):
    assert_twins(START + code)
    assert run(START + code, autogradlab)[1]


def test_there_are_no_worker_processes():
    with pytest.raises(ValueError, match="num_workers=0"):
        autogradlab.utils.data.DataLoader(range(3), num_workers=2)


@given(SEEDS)
def test_the_integer_that_seeds_a_shuffle(seed):
    ours = autogradlab.Generator().manual_seed(seed)
    theirs = torch.Generator().manual_seed(seed)
    numbers = torch.empty(3, dtype=torch.int64).random_(generator=theirs)
    assert [ours.int64() for _ in range(3)] == numbers.tolist()
