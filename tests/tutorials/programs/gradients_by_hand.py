"""A network's gradients worked out on paper, checked against those of backward."""

# %%
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
source = torch.Generator().manual_seed(12)
names = ["iris", "rose", "aster", "poppy"]
alphabet = "." + "".join(sorted({c for name in names for c in name}))
code = {c: i for i, c in enumerate(alphabet)}
pairs = [(code[a], code[b]) for name in names for a, b in zip("." + name, name + ".")]
before, after = torch.tensor(pairs).unbind(1)
print(alphabet, before, after, sep="\n")

# %% how often a letter follows another
table = torch.zeros(len(code), len(code), dtype=torch.int32)
for a, b in pairs:
    table[a, b] += 1
chance = (table + 1) / (table + 1).sum(1, keepdim=True)
drawn = torch.multinomial(chance[0], 6, replacement=True, generator=source)
print(table[0], chance[0], drawn, [alphabet[i] for i in drawn])

# %% letters as places in a space of three dimensions, a hidden layer, its scale normalized
shapes = {"place": (len(code), 3), "first": (3, 5), "gain": (1, 5), "second": (5, len(code))}
weights = {k: torch.randn(s, generator=source, requires_grad=True) for k, s in shapes.items()}
places = weights["place"][before]
summed = places @ weights["first"]
centred = summed - summed.mean(0)
scale = (centred.square().mean(0, keepdim=True) + 1e-5).rsqrt()
hidden = (centred * scale * weights["gain"]).tanh()
scores = hidden @ weights["second"]
loss = F.cross_entropy(scores, after)
for kept in (places, summed, centred, scale, hidden, scores):
    kept.retain_grad()
loss.backward()
print(loss, scores.grad.norm(), weights["place"].grad[0])

# %% the same backwards, line by line
with torch.no_grad():
    count = len(before)
    to_scores = (scores.softmax(1) - F.one_hot(after, len(code))) / count
    to_hidden = to_scores @ weights["second"].T
    inner = to_hidden * (1 - hidden**2)
    to_scale = (inner * weights["gain"] * centred).sum(0, keepdim=True)
    to_centred = inner * weights["gain"] * scale - to_scale * scale**3 * centred / count
    to_summed = to_centred - to_centred.mean(0)
    to_places = to_summed @ weights["first"].T
    by_hand = {
        "place": torch.zeros(shapes["place"]).index_add_(0, before, to_places),
        "first": places.T @ to_summed,
        "gain": (inner * centred * scale).sum(0, keepdim=True),
        "second": hidden.T @ to_scores,
    }
for name, mine in by_hand.items():
    near = torch.isclose(mine, weights[name].grad)
    print(name, near.all().item(), tuple(mine.shape))

# %% one row after the other is the same
rows = torch.zeros(shapes["place"])
for i, row in zip(before, to_places):
    rows[i] += row
print(torch.allclose(rows, by_hand["place"]))

# %% a step along them
with torch.no_grad():
    for name, w in weights.items():
        w -= 0.5 * by_hand[name]
        print(f"{name:7} {w.abs().mean():.6f} {(w.grad.std() / w.std()).log10():.3f}")

# %%
torch.set_default_dtype(torch.float32)
