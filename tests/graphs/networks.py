"""Networks that read alike on both engines, and some of torch's own."""

import torch

from autogradlab.graphs import watch


def block_net(engine):
    """A small residual network: two equal blocks, one called twice, a parameter nobody uses."""
    nn = engine.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.act = nn.Tanh()
            self.second = nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return self.act(self.second(self.act(self.first(x))) + x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Linear(3, 4)
            self.blocks = nn.ModuleList([Block(), Block()])
            self.twice = Block()
            self.unused = nn.Linear(2, 2)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            x = self.twice(x)
            if float(x.detach().sum()) > -1e9:  # control flow that reads a value
                x = self.twice(x * 2)
            return self.head(x)

    engine.manual_seed(0)
    return Net()


def seen(model, *inputs):
    """The sum of what a model gives, and the watch that saw it."""
    with watch(model) as watched:
        out = model(*inputs)
    return out.square().mean(), watched


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Custom(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x):
        return Double.apply(self.layer(x))


class Tied(torch.nn.Module):
    """One matrix in two layers."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(7, 4)
        self.mix = torch.nn.Linear(4, 4)
        self.head = torch.nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.mix(self.embed(tokens)).relu())


class NotANumber(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x):
        return (self.layer(x) * 0).sqrt() * float("inf")


def theirs():
    """Torch's own models and odd ones: name → (model, inputs)."""
    torch.manual_seed(0)
    nn, x = torch.nn, torch.randn(5, 2, 8)
    return {
        "transformer": (Only(nn.Transformer(8, 2, 1, 1, 16, batch_first=True)), (x, x)),
        "lstm": (Only(nn.LSTM(8, 4, 2)), (x,)),
        "attention": (Only(nn.MultiheadAttention(8, 2)), (x, x, x)),
        "tied": (Tied(), (torch.tensor([1, 2, 3]),)),
        "custom": (Custom(), (torch.randn(3, 4),)),
        "nan": (NotANumber(), (torch.randn(3, 4),)),
    }


class Only(torch.nn.Module):
    """The first result of a model that may give several."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        out = self.model(*inputs)
        return out[0] if isinstance(out, tuple) else out


def in_place_net(engine):
    """Views written in place: the node of a view is made anew when it is next used."""
    nn = engine.nn

    class Left(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            h = self.layer(x)
            view = h[:, :2]
            h.mul_(3)  # from here on the node of `view` is stale
            view.add_(1)
            return h, view

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left = Left()
            self.right = nn.Linear(2, 2)

        def forward(self, x):
            h, view = self.left(x)
            h.add_(1)
            return self.right(view) + h[:, 2:]

    engine.manual_seed(0)
    return Net()
