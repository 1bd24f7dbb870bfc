"""Convolution with 3×3 kernels in 4/9 of the multiplications. No derivatives here.

Two neighbouring results of a kernel of three use four numbers of the input, and six products; the
same two are linear combinations of four products of combinations of both (`spread`, `KERNEL`,
`gather`). In two dimensions 2×2 results take 16 products instead of 36: 16 matrix products over all
channels, on arrays less than half as large as columns. All is linear, so that the gradients are the
same steps backwards, transposed.

The transforms are sums of slices, with the numbers of all images and channels last: these lie side
by side in memory however small an image is.

Source: Lavin and Gray 2015, Fast Algorithms for Convolutional Neural Networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .windows import Ints, Window

HALF = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
KERNEL = np.einsum("jc,ir->jirc", HALF, HALF).reshape(16, 9)


def suits(shape: Ints, weight: Ints, dtype: np.dtype, window: Window, groups: int) -> bool:
    """Whether it can be done so, and pays: for few channels the transforms cost more than they
    save, and so do those of the kernels for few tiles."""
    plain = window.kernel == (3, 3) and window.stride == window.dilation == (1, 1) and groups == 1
    if not plain or dtype.kind != "f" or dtype.itemsize < 4 or min(weight[:2]) < 16:
        return False
    high, wide = halves(window)
    return shape[0] * high * wide >= 24


def halves(window: Window) -> tuple[int, int]:
    """How many tiles of 2×2 results there are, down and across."""
    return (window.out[0] + 1) // 2, (window.out[1] + 1) // 2


def steps(x: Any, axis: int) -> list[Any]:
    """Along an axis of size 2n + 2: four slices of n, the first, second, third and fourth numbers
    of every tile."""
    n = x.shape[axis] // 2 - 1
    return [x[(slice(None),) * axis + (slice(k, k + 2 * n - 1, 2),)] for k in range(4)]


def spread(x: Any, axis: int) -> Any:
    """The four combinations of the input in each tile, along a new axis in front."""
    a, b, c, d = steps(x, axis)
    out = np.empty((4, *a.shape), x.dtype)
    np.subtract(a, c, out=out[0])
    np.add(b, c, out=out[1])
    np.subtract(c, b, out=out[2])
    np.subtract(b, d, out=out[3])
    return out


def spread_back(x: Any, axis: int) -> Any:
    """The transpose of `spread`."""
    n = x.shape[1 + axis]
    out = np.zeros((*x.shape[1 : 1 + axis], 2 * n + 2, *x.shape[2 + axis :]), x.dtype)
    first, second, third, fourth = steps(out, axis)
    first[...] = x[0]
    np.subtract(x[1], x[2], out=second)
    second += x[3]  # before `fourth`, which has most of its places
    third += x[1]
    third += x[2]
    third -= x[0]
    fourth -= x[3]
    return out


def gather(x: Any) -> Any:
    """Two results from four products, both along the first axis."""
    out = np.empty((2, *x.shape[1:]), x.dtype)
    np.add(x[1], x[2], out=out[0])
    out[0] += x[0]
    np.subtract(x[1], x[2], out=out[1])
    out[1] -= x[3]
    return out


def gather_back(x: Any) -> Any:
    """The transpose of `gather`."""
    out = np.empty((4, *x.shape[1:]), x.dtype)
    out[0] = x[0]
    np.add(x[0], x[1], out=out[1])
    np.subtract(x[0], x[1], out=out[2])
    np.negative(x[1], out=out[3])
    return out


def kernels(weight: Any) -> Any:
    """(O, C, 3, 3) as 16 matrices (O, C)."""
    outputs, inputs = weight.shape[:2]
    flat = weight.reshape(outputs * inputs, 9).T
    return (KERNEL.astype(weight.dtype) @ flat).reshape(16, outputs, inputs)


def input_tiles(x: Any, window: Window) -> Any:
    """(N, C, H, W) as 16 matrices (tiles · N, C)."""
    (n, c, *size), (high, wide), (top, left) = x.shape, halves(window), window.padding
    out = np.zeros((2 * high + 2, 2 * wide + 2, n, c), x.dtype)
    out[top : top + size[0], left : left + size[1]] = x.transpose(2, 3, 0, 1)
    return spread(spread(out, 0), 2).reshape(16, high * wide * n, c)


def output_tiles(grad: Any, window: Window) -> Any:
    """The gradient (N, O, …) of the results as that of the products: 16 matrices (tiles · N, O)."""
    (high, wide), (n, o, *size) = halves(window), grad.shape
    whole = size == [2 * high, 2 * wide]
    out = (np.empty if whole else np.zeros)((2 * high, 2 * wide, n, o), grad.dtype)
    out[: size[0], : size[1]] = grad.transpose(2, 3, 0, 1)
    out = out.reshape(high, 2, wide, 2, n * o).transpose(1, 3, 0, 2, 4)
    return gather_back(gather_back(out).swapaxes(0, 1)).reshape(16, high * wide * n, o)


def convolved(tiles: Any, weight: Any, count: int, window: Window) -> Any:
    """The results (N, O, …) of `count` images."""
    high, wide = halves(window)
    products = (tiles @ kernels(weight).mT).reshape(4, 4, high, wide, count, len(weight))
    out = gather(gather(products).swapaxes(0, 1)).transpose(4, 5, 2, 0, 3, 1)
    out = out.reshape(count, len(weight), 2 * high, 2 * wide)
    return np.ascontiguousarray(out[:, :, : window.out[0], : window.out[1]])


def input_gradient(grad: Any, weight: Any, shape: Ints, window: Window) -> Any:
    (n, c, *size), (high, wide), (top, left) = shape, halves(window), window.padding
    x = output_tiles(grad, window) @ kernels(weight)
    x = spread_back(spread_back(x.reshape(4, 4, high, wide, n, c), 2), 0)
    return np.ascontiguousarray(
        x[top : top + size[0], left : left + size[1]].transpose(2, 3, 0, 1)
    )


def weight_gradient(grad: Any, tiles: Any, shape: Ints, window: Window) -> Any:
    """The gradient (O, C, 3, 3), given the `input_tiles`."""
    products = (output_tiles(grad, window).mT @ tiles).reshape(16, shape[0] * shape[1])
    return (products.T @ KERNEL.astype(grad.dtype)).reshape(shape)
