"""Datasets, the order in which their samples are taken, and the loader that makes batches of them.

A seed gives the order that torch gives. So the loader draws from the random numbers when torch's
does: at `iter(loader)` a seed for its worker processes, although there are none here, and at the
first batch the seed of the shuffle's own generator.
"""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from .. import dtypes, errors
from ..creation import as_tensor, tensor
from ..ops.shapes import stack
from ..random import Generator, default_generator
from ..tensor import Tensor

T = TypeVar("T")
INT64 = dtypes.int64.numpy


# --------------------------------------------------------------------------------------- datasets


class Dataset(Generic[T]):
    """Samples by number: a subclass defines `__getitem__`, and for most uses `__len__`.

    A dataset that can fetch several samples faster than one by one may define
    `__getitems__(indices)`, which returns them as a list.
    """

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i holds element i, along the first dimension, of each of the tensors.

    >>> len(TensorDataset(tensor([[1.0], [2.0]]), tensor([0, 1])))
    2
    """

    def __init__(self, *tensors: Tensor) -> None:
        if any(x.size(0) != tensors[0].size(0) for x in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([x[index] for x in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class Subset(Dataset[T]):
    """The samples of a dataset that have these numbers, in this order."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        several = isinstance(index, list)
        return self.dataset[[self.indices[i] for i in index] if several else self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T]:
        return fetch(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def fetch(dataset: Dataset[T], indices: list[int]) -> list[T]:
    """Several samples: in the dataset's own way, if it has one."""
    if hasattr(dataset, "__getitems__"):
        return dataset.__getitems__(indices)
    return [dataset[i] for i in indices]


def random_split(
    dataset: Dataset[T], lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Disjoint random subsets.

    Args:
        lengths: how many samples each gets; or fractions of 1, where samples left over by rounding
            down go to the first subsets, one each.

    Raises:
        ValueError: the lengths do not sum to the dataset's.
    """
    size = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
        lengths = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(lengths)):
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warnings.warn(errors.EMPTY_SPLIT.format(i), stacklevel=2)
    if sum(lengths) != size:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    indices = (generator or default_generator).randperm(size, INT64).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, indices[e - n : e]) for e, n in zip(ends, lengths, strict=True)]


# --------------------------------------------------------------------------------------- samplers


class Sampler(Generic[T]):
    """An order: iterating gives the numbers of samples, or lists of them."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, …"""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order each time.

    Args:
        replacement: draw each number anew, so that some come twice and some never.
        num_samples: how many to draw, by default as many as there are.
        generator: draw from this; by default from a new one, seeded by the default generator.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(errors.positive_integer("num_samples", self.num_samples))

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, numbers = len(self.data_source), self.generator
        if numbers is None:
            numbers = Generator().manual_seed(default_generator.int64())

        def draw(some: int) -> list[int]:
            if self.replacement:
                return numbers.randint(0, n, (some,), INT64).tolist()
            return numbers.randperm(n, INT64)[:some].tolist()

        at_once = 32 if self.replacement else n
        for _ in range(self.num_samples // at_once):
            yield from draw(at_once)
        yield from draw(self.num_samples % at_once)  # torch draws even if nothing is left

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """These numbers, in a new random order each time."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        numbers = self.generator or default_generator
        for i in numbers.randperm(len(self.indices), INT64).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class BatchSampler(Sampler[list[int]]):
    """The numbers of another sampler, in lists.

    Args:
        drop_last: leave out a last list that is shorter than the others.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if type(batch_size) is not int or batch_size <= 0:
            raise ValueError(errors.positive_integer("batch_size", batch_size))
        if not isinstance(drop_last, bool):
            raise ValueError(
                f"drop_last should be a boolean value, but got drop_last={drop_last}"
            )
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


# ---------------------------------------------------------------------------------------- batches


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch from a list of samples: tensors and arrays are stacked, numbers become a tensor,
    texts a list; in dicts, tuples and lists, each place is collated by itself.

    Raises:
        TypeError: the samples are something else. RuntimeError: they do not fit each other.

    >>> default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=torch.float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "SUO":
            raise TypeError(errors.NOT_COLLATED.format(first.dtype))
        return stack([as_tensor(array) for array in batch])
    if isinstance(first, np.number | np.bool_):
        return as_tensor(batch)
    if isinstance(first, float):
        return tensor(batch, dtype=dtypes.float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return refilled(first, {k: default_collate([x[k] for x in batch]) for k in first})
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return refilled(first, [default_collate(place) for place in zip(*batch, strict=True)])
    raise TypeError(errors.NOT_COLLATED.format(type(first)))


def default_convert(data: Any) -> Any:
    """A sample whose NumPy arrays are tensors: what a loader without batches gives."""
    if isinstance(data, np.ndarray | np.number | np.bool_) and data.dtype.kind not in "SUO":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return refilled(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return refilled(data, [default_convert(value) for value in data])
    return data


def refilled(like: Any, parts: Any) -> Any:
    """The parts in a container of the same kind; a plain tuple becomes a list, as in torch."""
    if isinstance(like, MutableMapping):
        out = copy.copy(like)  # which may have more to it than its entries
        out.update(parts)
        return out
    return type(like)(*parts) if hasattr(like, "_fields") else parts


class DataLoader(Generic[T]):
    """Iterating gives the batches of a dataset, all of them, each time anew.

    Args:
        batch_size: samples in a batch; None gives the samples themselves.
        shuffle: in a new random order each time, from `generator`.
        sampler, batch_sampler: an order of one's own, of samples or of batches.
        num_workers: 0, for batches are made in this process.
        collate_fn: makes a batch of a list of samples, by default `default_collate`.
        pin_memory: changes nothing without a GPU, and says so.
        drop_last: leave out a last batch that is smaller than the others.
        generator: the source of randomness, by default the one `manual_seed` seeds.
    """

    _ready = False

    def __init__(
        self,
        dataset: Dataset[T],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None:
        if num_workers < 0:
            raise ValueError(errors.WORKERS)
        if num_workers > 0:
            raise ValueError("autogradlab loads data in its own process: set num_workers=0")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(errors.BATCH_SAMPLER)
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(errors.NO_BATCHES)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.pin_memory, self.generator = num_workers, pin_memory, generator
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else None
        self.sampler = SequentialSampler(dataset) if sampler is None else sampler
        if batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        by_default = default_convert if batch_sampler is None else default_collate
        self.collate_fn = by_default if collate_fn is None else collate_fn
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset")
        if self._ready and name in fixed:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory:
            warnings.warn(errors.PIN_MEMORY, stacklevel=2)
        indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        (self.generator or default_generator).int64()  # torch's seed for its workers
        return self._load(indices)

    def _load(self, indices: Iterator[Any]) -> Iterator[Any]:
        for index in indices:
            one = self.batch_sampler is None
            yield self.collate_fn(self.dataset[index] if one else fetch(self.dataset, index))
