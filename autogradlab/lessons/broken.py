"""Eight networks that do not learn as they should. Each has one bug, and no error is raised.

Each function takes an engine, `autogradlab` or `torch`, and returns a model and a function that
does one training step and returns the loss. They are written as one writes such things in a hurry.
"""

from __future__ import annotations

from typing import Any


def wave(torch: Any) -> tuple[Any, Any]:
    """32 points of a sine, from −1 to 1."""
    x = torch.linspace(-1, 1, 32).reshape(32, 1)
    return x, torch.sin(3 * x)


def inside(torch: Any) -> tuple[Any, Any]:
    """32 points from −1 to 1, and for each whether it lies inside −0.5 to 0.5."""
    x = torch.linspace(-1, 1, 32).reshape(32, 1)
    return x, (x.abs() < 0.5).flatten()


def network_1(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(1)
    x, y = wave(torch)
    encoder = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
    decoder = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    model = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        codes = encoder(x).detach()
        loss = ((decoder(codes) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_2(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(2)
    x, y = wave(torch)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16),
        torch.nn.Tanh(),
        torch.nn.Linear(16, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_3(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(3)
    x, y = wave(torch)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 1),
    )
    torch.nn.init.constant_(model[2].bias, -3.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_4(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(4)
    x, y = wave(torch)
    layers = [torch.nn.Linear(1, 16), torch.nn.Tanh()]
    for _ in range(8):
        layers += [torch.nn.Linear(16, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(16, 1))
    for layer in model[::2]:
        torch.nn.init.normal_(layer.weight, std=2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_5(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(5)
    x, y = inside(torch)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16),
        torch.nn.Tanh(),
        torch.nn.Linear(16, 2),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        loss = torch.nn.functional.cross_entropy(model(x), y.long(), reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_6(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(6)
    x, y = wave(torch)
    body = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU())
    head = torch.nn.Linear(16, 1)
    model = torch.nn.Sequential(body, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_7(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(7)
    x, y = wave(torch)
    y = y.flatten() + 1
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16),
        torch.nn.ReLU(),
        torch.nn.Linear(16, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def network_8(torch: Any) -> tuple[Any, Any]:
    torch.manual_seed(8)
    x, y = inside(torch)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16),
        torch.nn.Tanh(),
        torch.nn.Linear(16, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        right = torch.sigmoid(model(x)).flatten()  # how likely the right answer is:
        right.data[~y] = 1 - right.data[~y]  # outside, that is 1 − p
        loss = -right.log().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


NETWORKS = (
    network_1, network_2, network_3, network_4, network_5, network_6, network_7, network_8,
)  # fmt: skip
