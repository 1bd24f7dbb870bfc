"""A forger and a judge, and an encoder whose words are drawn at random."""

# %%
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(9)
true_points = torch.randn(48, 2) @ torch.tensor([[1.0, 0.3], [0.0, 0.5]]) + torch.tensor([2.0, -1.0])
print(true_points.mean(0), true_points.std(0))

# %%
forger = nn.Sequential(nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(True), nn.Linear(8, 2))
judge = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1), nn.Sigmoid())
for layer in [*forger, *judge]:
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.2)
print(forger, judge)

# %%
steps = {net: torch.optim.Adam(net.parameters(), lr=0.02, betas=(0.5, 0.999)) for net in (forger, judge)}
verdict = nn.BCELoss()


def says(net, points, truth):
    answers = net(points).squeeze(1)
    return verdict(answers, torch.full_like(answers, truth))


# %%
for turn in range(3):
    for chunk in true_points[torch.randperm(48)].split(16):
        forged = forger(torch.randn(16, 3))
        judged = says(judge, chunk, 1.0) + says(judge, forged.detach(), 0.0)
        steps[judge].zero_grad()
        judged.backward()
        steps[judge].step()
        fooled = says(judge, forged, 1.0)
        steps[forger].zero_grad()
        fooled.backward()
        steps[forger].step()
    print("turn %d: judge %.5f, forger %.5f" % (turn, judged, fooled))

# %% a judge whose slope should be one
middle = torch.lerp(true_points[:16], forged.detach(), torch.rand(16, 1)).requires_grad_()
(slope,) = torch.autograd.grad(judge(middle).sum(), middle, create_graph=True, only_inputs=True)
rough = (slope.norm(dim=1) - 1).square().mean()
judge.zero_grad()
rough.backward()
print(rough.item(), judge[0].weight.grad.abs().sum())


# %% noise that gradients pass
class Encoder(nn.Module):
    def __init__(self, pixels, size):
        super().__init__()
        self.into, self.out = nn.Linear(pixels, 2 * size), nn.Linear(size, pixels)

    def forward(self, x):
        centre, spread = self.into(x).chunk(2, dim=1)
        word = centre + spread.exp() * torch.randn_like(spread)
        return self.out(word), centre, spread


# %%
pictures = (torch.rand(40, 8) > 0.5).to(torch.get_default_dtype())
encoder = Encoder(8, 2)
step = torch.optim.Adam(encoder.parameters(), lr=1e-2)
for turn in range(4):
    for chunk in pictures.chunk(2):
        seen, centre, spread = encoder(chunk)
        far = F.binary_cross_entropy_with_logits(seen, chunk, reduction="none").sum(1)
        long = 0.5 * (centre**2 + (2 * spread).exp() - 1) - spread
        cost = (far + long.sum(1)).mean()
        step.zero_grad()
        cost.backward()
        step.step()
    print("turn {}: {:.6f}".format(turn, cost.item()))

# %% a picture moved to where the loss grows
reader, picture = nn.Linear(8, 3), pictures[:1].clone().requires_grad_()
(uphill,) = torch.autograd.grad(F.cross_entropy(reader(picture), torch.tensor([1])), picture)
moved = (picture + 0.3 * uphill.sign()).clamp(0, 1)
print(moved, reader(moved)[0, 1] < reader(picture)[0, 1], reader(moved).max(1, keepdim=True)[1])

# %%
torch.set_default_dtype(torch.float32)
