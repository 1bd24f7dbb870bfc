"""Networks by hand: NumPy alone, forward and backward written out, layer by layer, with no tape.

What an engine costs is the time it takes beyond this. A layer keeps from `forward` what its
`backward` needs; `backward` takes the gradient of its output, leaves those of its weights in
`gradients`, and returns that of its input. Activations may write over the array they are given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autogradlab.derivatives.error_function import erf

Weights = dict[str, np.ndarray]


class Layer:
    """The weights of a network whose names begin with `prefix`."""

    def __init__(self, weights: Weights, prefix: str = "") -> None:
        self.weights = {
            name.removeprefix(prefix): x for name, x in weights.items() if name.startswith(prefix)
        }
        self.gradients: Weights = {}
        self.prefix = prefix

    def forward(self, x: Any) -> Any:
        raise NotImplementedError

    def backward(self, g: Any) -> Any:
        raise NotImplementedError

    def layers(self) -> Iterable[Layer]:
        return (self,)

    def named_gradients(self) -> Weights:
        """The gradients of all weights, by the names of the weights."""
        pairs = ((each.prefix, each.gradients) for each in self.layers())
        return {prefix + name: g for prefix, found in pairs for name, g in found.items()}


class Chain(Layer):
    """One layer after the other."""

    def __init__(self, *parts: Layer) -> None:
        self.parts = parts

    def forward(self, x: Any) -> Any:
        for part in self.parts:
            x = part.forward(x)
        return x

    def backward(self, g: Any) -> Any:
        for part in reversed(self.parts):
            g = part.backward(g)
        return g

    def layers(self) -> Iterable[Layer]:
        return (layer for part in self.parts for layer in part.layers())


class Residual(Chain):
    """What the parts give, added to the input or to what `shortcut` makes of it."""

    def __init__(self, *parts: Layer, shortcut: Layer | None = None) -> None:
        super().__init__(*parts)
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        beside = x if self.shortcut is None else self.shortcut.forward(x)
        return super().forward(x) + beside

    def backward(self, g: Any) -> Any:
        beside = g if self.shortcut is None else self.shortcut.backward(g)
        return super().backward(g) + beside

    def layers(self) -> Iterable[Layer]:
        yield from super().layers()
        if self.shortcut is not None:
            yield from self.shortcut.layers()


class Linear(Layer):
    def forward(self, x: Any) -> Any:
        self.shape, self.x = x.shape, x.reshape(-1, x.shape[-1])
        out = self.x @ self.weights["weight"].T
        if "bias" in self.weights:
            out += self.weights["bias"]
        return out.reshape(*x.shape[:-1], -1)

    def backward(self, g: Any) -> Any:
        g = g.reshape(len(self.x), -1)
        self.gradients["weight"] = g.T @ self.x
        if "bias" in self.weights:
            self.gradients["bias"] = np.ones(len(g), g.dtype) @ g
        return (g @ self.weights["weight"]).reshape(self.shape)


class Tanh(Layer):
    def forward(self, x: Any) -> Any:
        self.y = np.tanh(x)
        return self.y

    def backward(self, g: Any) -> Any:
        return g * (1 - self.y * self.y)


class ReLU(Layer):
    def forward(self, x: Any) -> Any:
        self.positive = x > 0
        return np.maximum(x, 0, out=x)

    def backward(self, g: Any) -> Any:
        return np.multiply(g, self.positive, out=g)


class GELU(Layer):
    def forward(self, x: Any) -> Any:
        self.x, self.normal = x, (1 + erf(x * np.float32(0.5**0.5))) / 2
        return x * self.normal

    def backward(self, g: Any) -> Any:
        density = np.exp(self.x * self.x * -0.5) * (2 * np.pi) ** -0.5
        return g * (self.normal + self.x * density)


class Flatten(Layer):
    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, g: Any) -> Any:
        return g.reshape(self.shape)


# ----------------------------------------------------------------------------------------- images


class Convolution(Layer):
    """Columns and one matrix product, for (N, C, H, W)."""

    def __init__(
        self, weights: Weights, prefix: str, stride: int = 1, padding: int = 0, first: bool = False
    ) -> None:
        super().__init__(weights, prefix)
        self.stride, self.padding, self.first = stride, padding, first

    def slices(self) -> Iterable[tuple[int, int, Any, Any]]:
        """For each place in the kernel: the rows and columns where all windows have it."""
        high, wide = self.weights["weight"].shape[2:]
        down, across = self.out
        s = self.stride
        for i in range(high):
            for j in range(wide):
                yield i, j, slice(i, i + s * down, s), slice(j, j + s * across, s)

    def forward(self, x: Any) -> Any:
        w, p = self.weights["weight"], self.padding
        (n, c, h, width), (o, _, high, wide) = x.shape, w.shape
        down, across = ((a + 2 * p - k) // self.stride + 1 for a, k in ((h, high), (width, wide)))
        self.shape, self.out = x.shape, (down, across)
        padded = np.zeros((c, n, h + 2 * p, width + 2 * p), x.dtype)
        padded[:, :, p : p + h, p : p + width] = x.swapaxes(0, 1)
        columns = np.empty((c, high, wide, n, down, across), x.dtype)
        for i, j, rows, places in self.slices():
            columns[:, i, j] = padded[:, :, rows, places]
        self.columns = columns.reshape(c * high * wide, n * down * across)
        out = w.reshape(o, -1) @ self.columns
        if "bias" in self.weights:
            out += self.weights["bias"][:, None]
        return np.ascontiguousarray(out.reshape(o, n, down, across).swapaxes(0, 1))

    def backward(self, g: Any) -> Any:
        w, p, (n, c, h, width) = self.weights["weight"], self.padding, self.shape
        g = g.swapaxes(0, 1).reshape(len(w), -1)
        self.gradients["weight"] = (g @ self.columns.T).reshape(w.shape)
        if "bias" in self.weights:
            self.gradients["bias"] = g @ np.ones(g.shape[1], g.dtype)
        if self.first:  # nobody asks for the gradient of the images
            return None
        columns = (w.reshape(len(w), -1).T @ g).reshape(c, *w.shape[2:], n, *self.out)
        total = np.zeros((c, n, h + 2 * p, width + 2 * p), g.dtype)
        for i, j, rows, places in self.slices():
            total[:, :, rows, places] += columns[:, i, j]
        return np.ascontiguousarray(total[:, :, p : p + h, p : p + width].swapaxes(0, 1))


class BatchNorm(Layer):
    """In training; sums by products with ones, sums of products row by row."""

    eps, momentum = 1e-5, 0.1

    def sums(self, x: Any) -> Any:
        n, c, length = x.shape
        return (x.reshape(n * c, length) @ np.ones(length, x.dtype)).reshape(n, c).sum(0)

    def dots(self, x: Any, y: Any) -> Any:
        return np.matmul(x[:, :, None], y[:, :, :, None]).sum(0)[:, 0, 0]

    def forward(self, x: Any) -> Any:
        self.shape, x = x.shape, x.reshape(*x.shape[:2], -1)
        size = len(x) * x.shape[2]
        mean = self.sums(x) / size
        self.centred = x - mean[:, None]
        variance = self.dots(self.centred, self.centred) / size
        self.scale = 1 / np.sqrt(variance + np.float32(self.eps))
        for name, new in (("mean", mean), ("var", variance * (size / (size - 1)))):
            running = self.weights[f"running_{name}"]
            running += self.momentum * (new - running)
        out = self.centred * (self.scale * self.weights["weight"])[:, None]
        out += self.weights["bias"][:, None]
        return out.reshape(self.shape)

    def backward(self, g: Any) -> Any:
        g = g.reshape(self.centred.shape)
        size = len(g) * g.shape[2]
        total = self.gradients["bias"] = self.sums(g)
        dot = self.gradients["weight"] = self.dots(g, self.centred) * self.scale
        a = self.scale * self.weights["weight"]
        out = self.centred
        out *= (-a * self.scale * dot / size)[:, None]
        out -= (a * total / size)[:, None]
        out += g * a[:, None]
        return out.reshape(self.shape)


class MaxPool(Layer):
    """The largest number of each window, by a running maximum over the places in the kernel."""

    def __init__(self, kernel: int, stride: int, padding: int = 0) -> None:
        super().__init__({})
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def slices(self) -> Iterable[tuple[int, Any, Any]]:
        s, (down, across) = self.stride, self.out
        for k in range(self.kernel**2):
            i, j = divmod(k, self.kernel)
            yield k, slice(i, i + s * down, s), slice(j, j + s * across, s)

    def forward(self, x: Any) -> Any:
        p, self.shape = self.padding, x.shape
        self.out = tuple((n + 2 * p - self.kernel) // self.stride + 1 for n in x.shape[2:])
        if p:
            sides = ((0, 0), (0, 0), (p, p), (p, p))
            x = np.pad(x, sides, constant_values=-np.inf)
        self.padded = x.shape
        for k, rows, places in self.slices():
            value = x[:, :, rows, places]
            if k == 0:
                largest, self.winner = value.copy(), np.zeros(value.shape, np.uint8)
                continue
            greater = value > largest
            np.maximum(largest, value, out=largest)
            np.maximum(self.winner, greater.view(np.uint8) * np.uint8(k), out=self.winner)
        return largest

    def backward(self, g: Any) -> Any:
        p, (h, width) = self.padding, self.shape[2:]
        out = np.zeros(self.padded, g.dtype)
        for k, rows, places in self.slices():
            out[:, :, rows, places] += g * (self.winner == k)
        return np.ascontiguousarray(out[:, :, p : p + h, p : p + width])


class AveragePool(Layer):
    """Each channel's average."""

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.mean((2, 3))

    def backward(self, g: Any) -> Any:
        size = self.shape[2] * self.shape[3]
        return np.broadcast_to(g[:, :, None, None] / np.float32(size), self.shape).copy()


# ------------------------------------------------------------------------------------------- text


class Embedding(Layer):
    """The tokens' rows, and the positions'."""

    def forward(self, tokens: Any) -> Any:
        self.tokens = tokens
        table, positions = self.weights["tokens.weight"], self.weights["positions.weight"]
        return table[tokens] + positions[: tokens.shape[1]]

    def backward(self, g: Any) -> Any:
        table = self.weights["tokens.weight"]
        one_hot = (self.tokens.reshape(-1) == np.arange(len(table))[:, None]).astype(g.dtype)
        self.gradients["tokens.weight"] = one_hot @ g.reshape(-1, g.shape[-1])
        positions = np.zeros_like(self.weights["positions.weight"])
        positions[: g.shape[1]] = g.sum(0)
        self.gradients["positions.weight"] = positions


class LayerNorm(Layer):
    eps = 1e-5

    def forward(self, x: Any) -> Any:
        rows, width = x.reshape(-1, x.shape[-1]), np.float32(x.shape[-1])
        self.ones = np.ones(rows.shape[1], x.dtype) / width
        centred = rows - (rows @ self.ones)[:, None]
        variance = np.matmul(centred[:, None], centred[:, :, None])[:, 0] / width
        self.scale = 1 / np.sqrt(variance + np.float32(self.eps))
        self.normal = np.multiply(centred, self.scale, out=centred)
        out = self.normal * self.weights["weight"]
        out += self.weights["bias"]
        return out.reshape(x.shape)

    def backward(self, g: Any) -> Any:
        shape, g = g.shape, g.reshape(self.normal.shape)
        ones = np.ones(len(g), g.dtype)
        self.gradients["bias"], self.gradients["weight"] = ones @ g, ones @ (g * self.normal)
        g = g * self.weights["weight"]
        dot = np.matmul(g[:, None], self.normal[:, :, None])[:, 0] / np.float32(g.shape[1])
        g -= (g @ self.ones)[:, None]
        g -= self.normal * dot
        g *= self.scale
        return g.reshape(shape)


class Attention(Layer):
    """Causal attention on (N, T, 3 · width): queries, keys and values side by side."""

    def __init__(self, heads: int) -> None:
        super().__init__({})
        self.heads = heads

    def forward(self, x: Any) -> Any:
        n, length, width = x.shape
        parts = x.reshape(n, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        self.q, self.k, self.v = parts
        self.factor = np.float32(self.q.shape[-1] ** -0.5)
        scores = (self.q * self.factor) @ self.k.mT
        scores += np.triu(np.full((length, length), -np.inf, x.dtype), 1)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        self.p = scores
        return (self.p @ self.v).transpose(0, 2, 1, 3).reshape(n, length, width // 3)

    def backward(self, g: Any) -> Any:
        n, length, width = g.shape
        g = g.reshape(n, length, self.heads, -1).transpose(0, 2, 1, 3)
        scores = g @ self.v.mT
        scores -= (scores * self.p).sum(-1, keepdims=True)
        scores *= self.p
        scores *= self.factor
        out = np.empty((n, length, 3, *g.shape[1::2]), g.dtype)
        parts = out.transpose(2, 0, 3, 1, 4)
        parts[0], parts[1], parts[2] = scores @ self.k, scores.mT @ self.q, self.p.mT @ g
        return out.reshape(n, length, 3 * width)


# --------------------------------------------------------------------------------------- networks


def mlp(weights: Weights, activation: type[Layer]) -> Layer:
    """Linear layers, named 0, 2, 4, …, with an activation between them."""
    numbers = sorted({int(name.partition(".")[0]) for name in weights})
    parts: list[Layer] = []
    for number in numbers:
        parts += [Linear(weights, f"{number}."), activation({})]
    return Chain(*parts[:-1])


def conv_net(weights: Weights) -> Layer:
    one = [Convolution(weights, "conv1.", 1, 1, first=True), ReLU({}), MaxPool(2, 2)]
    two = [Convolution(weights, "conv2.", 1, 1), ReLU({}), MaxPool(2, 2)]
    return Chain(*one, *two, Flatten({}), Linear(weights, "fc."))


def resnet(weights: Weights) -> Layer:
    stem = Convolution(weights, "conv1.", 2, 3, first=True), BatchNorm(weights, "bn1.")
    blocks: list[Layer] = []
    names = dict.fromkeys(".".join(x.split(".")[:2]) for x in weights if x.startswith("layer"))
    for name in names:
        beside, stride = None, 1
        if f"{name}.downsample.0.weight" in weights:
            stride = 2
            beside = Chain(
                Convolution(weights, f"{name}.downsample.0.", stride),
                BatchNorm(weights, f"{name}.downsample.1."),
            )
        block = Residual(
            Convolution(weights, f"{name}.conv1.", stride, 1),
            BatchNorm(weights, f"{name}.bn1."),
            ReLU({}),
            Convolution(weights, f"{name}.conv2.", 1, 1),
            BatchNorm(weights, f"{name}.bn2."),
            shortcut=beside,
        )
        blocks += [block, ReLU({})]
    head = AveragePool({}), Linear(weights, "fc.")
    return Chain(*stem, ReLU({}), MaxPool(3, 2, 1), *blocks, *head)


def gpt(weights: Weights, heads: int) -> Layer:
    blocks: list[Layer] = []
    numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("blocks.")})
    for p in (f"blocks.{number}." for number in numbers):
        ln1, ln2 = (LayerNorm(weights, f"{p}{name}.") for name in ("ln1", "ln2"))
        qkv, proj, fc1, fc2 = (
            Linear(weights, f"{p}{name}.") for name in ("qkv", "proj", "fc1", "fc2")
        )
        blocks += [
            Residual(ln1, qkv, Attention(heads), proj),
            Residual(ln2, fc1, GELU({}), fc2),
        ]
    return Chain(Embedding(weights), *blocks, LayerNorm(weights, "ln."), Linear(weights, "head."))


# ----------------------------------------------------------------------------------- training step


def cross_entropy(x: Any, target: Any) -> tuple[Any, Any]:
    """The mean loss of logits (…, classes), and its gradient."""
    rows, places = x.reshape(-1, x.shape[-1]), target.reshape(-1)
    rows = rows - rows.max(1, keepdims=True)
    high = np.exp(rows)
    total = high.sum(1, keepdims=True)
    every = np.arange(len(rows))
    loss = (np.log(total[:, 0]) - rows[every, places]).mean()
    high /= total
    high[every, places] -= 1
    high /= np.float32(len(rows))
    return loss, high.reshape(x.shape)


def mse(x: Any, target: Any) -> tuple[Any, Any]:
    difference = x - target
    return (difference**2).mean(), difference * np.float32(2 / difference.size)


class SGD:
    """With momentum; in pieces that stay in the cache, into one scratch array."""

    def __init__(self, network: Layer, lr: float, momentum: float) -> None:
        self.network, self.lr, self.momentum = network, np.float32(lr), np.float32(momentum)
        self.buffers: Weights = {}
        self.scratch = np.empty(1 << 15, np.float32)

    def step(self) -> None:
        for layer in self.network.layers():
            for name, g in layer.gradients.items():
                self.update(layer.prefix + name, layer.weights[name], g)

    def update(self, name: str, weight: Any, g: Any) -> None:
        flat, g, old = weight.reshape(-1), g.reshape(-1), self.buffers.get(name)
        buffer = self.buffers.setdefault(name, g)
        for i in range(0, len(flat), len(self.scratch)):
            w, b, d = (x[i : i + len(self.scratch)] for x in (flat, buffer, g))
            if old is not None:
                b *= self.momentum
                b += d
            w -= np.multiply(b, self.lr, out=self.scratch[: len(b)])
