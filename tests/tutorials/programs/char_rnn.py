"""A recurrent network over letters, its state carried by hand; then a tiny GPT."""

# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
words = ["anna", "otto", "hannah", "bob", "eve"]
letters = list(".abehnotv")
number = {letter: i for i, letter in enumerate(letters)}
print(letters, number)


# %% letters as rows of zeros and a one
def spelled(line):
    tensor = torch.zeros(len(line), 1, len(letters))
    for i, letter in enumerate(line):
        tensor[i][0][number[letter]] = 1
    return tensor


print(spelled("bob").size(), spelled("eve")[0])


# %%
class Recurrent(nn.Module):
    def __init__(self, letters_in, memory, letters_out):
        super().__init__()
        self.memory = memory
        self.onward = nn.Linear(letters_in + memory, memory)
        self.outward = nn.Linear(memory, letters_out)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        joint = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.onward(joint))
        return self.softmax(self.outward(hidden)), hidden

    def rest(self):
        return torch.zeros(1, self.memory)


rnn = Recurrent(len(letters), 12, len(letters))
output, hidden = rnn(spelled("a")[0], rnn.rest())
print(rnn, output, hidden)

# %%
criterion = nn.NLLLoss()


def train(word):
    inputs, targets = spelled("." + word), [number[c] for c in word + "."]
    hidden, loss = rnn.rest(), 0
    rnn.zero_grad()
    for letter, target in zip(inputs, targets):
        output, hidden = rnn(letter, hidden)
        loss += criterion(output, torch.tensor([target]))
    loss.backward()
    with torch.no_grad():
        for p in rnn.parameters():
            p.add_(p.grad, alpha=-0.05)
    return loss.item() / len(targets)


# %%
losses = []
for epoch in range(6):
    losses.append(sum(train(word) for word in words))
    print(f"{epoch} {losses[-1]:.6f}")

# %% letters drawn from what it learned
with torch.no_grad():
    hidden, letter, text = rnn.rest(), ".", ""
    for _ in range(8):
        output, hidden = rnn(spelled(letter)[0], hidden)
        choice = torch.multinomial(output.exp().squeeze(), 1).item()
        letter = letters[choice]
        if letter == ".":
            break
        text += letter
value, index = output.topk(2)
print(repr(text), value, index)


# %% attention in place of a carried state
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.three = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def attend(self, x):
        B, T, C = x.shape
        q, k, v = self.three(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (C // self.heads) ** -0.5
        mask = torch.tril(torch.ones(T, T)) == 0
        att = F.softmax(att.masked_fill(mask, float("-inf")), dim=-1)
        return self.proj((att @ v).transpose(1, 2).contiguous().view(B, T, C))

    def forward(self, x):
        x = x + self.attend(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class TinyGPT(nn.Module):
    def __init__(self, vocabulary, context, width=16, heads=2, layers=2):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx, targets=None):
        x = self.tokens(idx) + self.positions(torch.arange(idx.size(1)))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


gpt = TinyGPT(len(letters), 8)
print(gpt, sum(p.numel() for p in gpt.parameters()))

# %%
text = "." + ".".join(words * 3) + "."
data = torch.tensor([number[c] for c in text], dtype=torch.long)
optimizer = torch.optim.AdamW(gpt.parameters(), lr=1e-2, betas=(0.9, 0.95))
for step in range(15):
    start = torch.randint(len(data) - 8, (4,))
    given = torch.stack([data[i : i + 8] for i in start])
    wanted = torch.stack([data[i + 1 : i + 9] for i in start])
    logits, loss = gpt(given, wanted)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if step % 5 == 4:
        print(step, loss.item())

# %%
gpt.eval()
idx = torch.zeros((1, 1), dtype=torch.long)
with torch.no_grad():
    for _ in range(7):
        logits, _ = gpt(idx[:, -8:])
        probs = F.softmax(logits[:, -1, :], dim=-1)
        idx = torch.cat((idx, torch.multinomial(probs, num_samples=1)), dim=1)
print(idx, "".join(letters[i] for i in idx[0].tolist()))

# %% the same attention, ready-made
q = k = v = torch.randn(1, 2, 4, 8, requires_grad=True)
fused = F.scaled_dot_product_attention(q, k, v, is_causal=True)
fused.sum().backward()
print(fused.shape, q.grad.abs().sum())

# %%
torch.set_default_dtype(torch.float32)
