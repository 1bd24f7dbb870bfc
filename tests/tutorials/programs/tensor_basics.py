"""Tensors: making, reading, writing and sharing them."""

# %%
import numpy as np
import torch

rows = [[3, 1], [4, 1]]
from_list = torch.tensor(rows)
print(from_list, from_list.dtype)

# %%
table = np.array(rows)
from_array = torch.from_numpy(table)
copied = torch.tensor(table)
print(from_array, copied)

# %%
blank = torch.zeros_like(from_list)
noise = torch.rand_like(from_list, dtype=torch.float)
print(torch.ones_like(from_list), blank, noise)

# %%
size = (2, 3)
some = [torch.rand(size), torch.ones(size), torch.zeros(size), torch.full(size, 7)]
for each in some:
    print(each)
print(torch.arange(5), torch.arange(0.0, 1.0, 0.25), torch.linspace(-1, 1, 5), torch.eye(2))

# %% what a tensor knows about itself
sample = torch.randn(3, 4)
print(sample.shape, sample.dtype, sample.device)
print(sample.ndim, sample.size(), sample.size(1), sample.numel(), len(sample), sample.stride())
print(sample.is_contiguous(), sample.t().is_contiguous(), sample.requires_grad, sample.is_leaf)
print(torch.is_tensor(sample), torch.is_tensor(rows))

# %% the device a learner asks for
device = "cuda" if torch.cuda.is_available() else "cpu"
moved = sample.to(device)
print(device, moved.device, moved is sample)

# %% rows, columns, masks
grid = torch.arange(12.0).reshape(3, 4)
print("top     ", grid[0])
print("leftmost", grid[:, 0])
print("rightmost", grid[..., -1])
print("every other ", grid[::2, 1::2])
print("chosen      ", grid[[0, 2], [1, 3]])
print("large       ", grid[grid > 6])
print("new axis    ", grid[:, None].shape, grid[None].shape)
best, where = grid.max(dim=1)
print(best, where, grid.argmax())

# %% raises=IndexError: an index too far
grid[3]

# %% writing
grid[:, 1] = 0
grid[0] += 100
grid[grid > 105] = -1.0
grid[2, 2:] = torch.tensor([8.0, 9.0])
print(grid)

# %% joining, stacking, splitting
wide = torch.cat([grid, grid, grid], dim=1)
deep = torch.stack([grid, -grid])
left, right = wide.split([4, 8], dim=1)
first, *others = wide.chunk(3, dim=1)
print(wide.shape, deep.shape, left.shape, right.shape, len(others))
print(deep)

# %% products
square = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
with_at = square @ square.T
by_method = square.matmul(square.T)
into_out = torch.empty(2, 2)
torch.matmul(square, square.T, out=into_out)
starred = square * square
multiplied = square.mul(square)
into_other = torch.empty_like(square)
torch.mul(square, square, out=into_other)
print(with_at, by_method, into_out, starred, multiplied, into_other, sep="\n")

# %% one number
total = square.sum()
number = total.item()
print(total, number, type(number), square.tolist())

# %% broadcasting
column, row = torch.arange(3).unsqueeze(1), torch.arange(4)
sums = column + row
print(sums, sums.dtype, (sums / 2).dtype, (sums // 2).dtype)

# %% raises=RuntimeError: shapes that do not go together
torch.ones(3, 2) + torch.ones(4)

# %% arithmetic from the left, the right and in place
x = torch.tensor([1.0, 2.0, 5.0])
print(2 + x, 2 - x, 2 * x, 2 / x, 2**x, 7 // x, 7 % x, x % 2, x // 2, -x, abs(-x))
same = x
x += 1
x -= 2
x *= 3
x /= 2
x **= 2
x //= 1
x %= 7
print(x is same, x, x.add_(5), x.clamp_(max=6), x.zero_())

# %% integers and truths
n = torch.tensor([1, 2, 3, 12])
print(n << 1, n >> 1, 2 << n, n & 6, n | 1, n ^ 3, ~n, 13 % n, 13 // n)
odd = n % 2 == 1
print(odd, ~odd, odd & (n > 1), odd.any(), odd.all(), odd.sum(), n[odd])
same = n
n += 1
n &= 7
n <<= 1
print(n is same, n, n.float().mean())

# %% raises=RuntimeError: the mean of integers
torch.arange(4).mean()

# %% views share memory
base = torch.zeros(2, 3)
view = base.view(3, 2)
turned = base.t()
view[0, 1] = 5
turned[2, 1] = 7
print(base, view, turned, sep="\n")
print(base.data_ptr() == view.data_ptr(), base.flatten(), base.reshape(-1, 1).squeeze())

# %% raises=RuntimeError: a view that does not fit
turned.view(6)

# %% a tensor and an array on one memory
t = torch.ones(5)
a = t.numpy()
t.add_(1)
print("tensor", t, "array", a)

# %%
a = np.ones(5)
t = torch.from_numpy(a)
np.add(a, 1, out=a)
print("tensor", t, "array", a)

# %%
c = t.clone()
c[0] = 100
print(t[0], c[0], np.asarray(c), c.numpy().sum())

# %% types
h = torch.tensor([1.5, 2.5])
print(h.int(), h.long(), h.double(), h.half(), h.bool(), h.to(torch.int32), h.type())
print(torch.tensor(True) + torch.tensor(1), torch.tensor(1) + 1.5, torch.tensor(2).dtype)

# %% sums along dimensions
m = torch.arange(6.0).view(2, 3)
print(m.sum(0), m.mean(1, keepdim=True), m.std(), m.var(dim=0), m.cumsum(1), m.prod(), m.norm())
print(m.sort(descending=True), m.topk(2), m.permute(1, 0).shape, m.transpose(0, 1))
print(torch.where(m > 2, m, -m), m.eq(m).all(), torch.allclose(m, m + 1e-9), torch.equal(m, m))

# %% the same numbers twice
torch.manual_seed(7)
once = torch.randn(2)
torch.manual_seed(7)
again = torch.randn(2)
print(once, again, torch.equal(once, again), torch.randperm(5), torch.randint(0, 10, (3,)))

# %% numbers that are large, small or missing
print(torch.tensor([1e-8, 1.0, 1e8]), torch.tensor([float("nan"), float("inf"), -1.0]))
print(torch.arange(2000), torch.rand(60, 60).shape, torch.tensor([]), torch.tensor(3.0))
