"""A tiny GPT: a transformer that predicts the next character.

Source: Radford et al. 2019, Language Models are Unsupervised Multitask Learners, at toy size.
"""

from __future__ import annotations

import autogradlab as torch

from .. import nn
from ..nn import functional as F
from ..tensor import Tensor


class Block(nn.Module):
    """Attention over what came before, then a layer for each position; both added to the input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(self.ln1(x)).chunk(3, dim=-1)
        q, k, v = (y.view(n, length, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(n, length, width))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x))))


class GPT(nn.Module):
    """Logits (N, T, vocabulary) for tokens (N, T) of int64, T at most `context`.

    >>> GPT(vocabulary=5, context=8, width=16, heads=2, layers=1)(torch.zeros(1, 4).long()).shape
    torch.Size([1, 4, 5])
    """

    def __init__(
        self, vocabulary: int, context: int, width: int = 64, heads: int = 4, layers: int = 2
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.ln(self.blocks(x)))
