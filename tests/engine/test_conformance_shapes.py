
"""Views, joins and indexing must do here what they do on the installed PyTorch."""

import pytest
from twins import assert_second_order, assert_twins

START = """
x = (torch.arange(24.).reshape(2, 3, 4) / 7).requires_grad_()
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], requires_grad=True)
v = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
z = torch.tensor(3., requires_grad=True)
i = torch.tensor([0, 1]); u = torch.tensor([1, 0], dtype=torch.uint8)
m2 = torch.tensor([[True, False, True], [False, True, True]])
s = torch.tensor(1); sb = torch.tensor(True); su = torch.tensor(1, dtype=torch.uint8)
"""

# Every way to index, and the errors.
INDEXING = """
x[m2, 1:]; x[m2]; x[:, m2[0]]; x[True]; x[False]; x[sb]; x[su]; x[0, True]; x[True, True]; x[None, sb, 0]; x[u]
x[[0,1]]; x[[[0,1],[1,0]]]; x[[slice(0,1), 0]]; x[(0,1)]; x[np.array([0,1])]; x[np.array([True,False])]
x[[True,False]]; x[[]]; x[:, []]; x[i, :, i]; x[:, i, i]; x[i, 0, i]; x[i, None, i]; x[..., i]; x[None, i]
x[i[:,None], i]; x[-1, ..., 0]; x[s]; x[s, i]; x[1.0]; x[torch.tensor([0.5])]; x[torch.tensor([5])]
x[torch.tensor([[0,5]])]; x[i, torch.tensor([0,1,2])]; x[m2[:1]]; x[:, m2]; x[0,0,0,0]; x[..., ...]; x[None]
x[:, None, ::2]; x[0][None]; x[slice(None)]; x[:]; x[...]; x[()]; z[()]; z[...]; z[None]; z[True]; z[False]; z[sb]
z[0]; z[i]; z[[0]]; x[i, 1:]; x[1:, i]; x[1:, i, 1]; x[np.int64(1)]; x[np.bool_(True)]; x[range(2)]; x[(i,)]
x[[i, i]]; x[None, None]; x[2]; x[:, 3]; x[:, -4]; x[::0]; x[::-1]; x[1:0]; x[5:2]; x[m2, 0]; x[torch.tensor([True])]
x[torch.tensor([], dtype=torch.long)]; x[torch.zeros(0, dtype=torch.long), 0]; x[i.int()]; x[torch.tensor([-1,-2])]
x[torch.tensor([-3])]; x[i, :, torch.tensor([9,0])]; x[{}]; x[1, 2, 3]; x[True, i]; x[i, True]; x[i, False]
x[None, m2]; x[m2, None]; x[0, i, ..., None]; x[sb, i]; x[[0, 1], [1, 2]]; x[[[0,1]]]; x[[None]]; x[[...]]
x[1:, True]; x[:, True, i]; x[torch.tensor(1.)]; x[torch.ones(2)]; x[1+0j]
"""

FUNCTIONS = """
x[np.array([[0,1],[1,0]])]; x[:, torch.tensor([9])]; x[:, :, torch.tensor([9])]; x[i,torch.tensor([9,0])]
x[:, i, torch.tensor([9,0])]; x[[slice(0,1), 0]]; x[torch.ones(2,dtype=torch.uint8)]; x[:, np.array([0,1])]
x[[[0],[1]]]; x[(0,[0,1])]; x[torch.tensor([0,1],dtype=torch.int16)]; x[torch.tensor([0,1],dtype=torch.int8)]
x[m2, i]; x[m2,m2]; x[i.tolist(), i]; x[[True,False], 0]; x[torch.ones(2,3,4,1).bool()]
x[torch.tensor([[True]])]; x[np.array(1)]; x[np.array(True)]
torch.index_select(x,0,torch.tensor([5])); torch.index_select(x,0,torch.tensor([-1]))
torch.index_select(x,0,torch.tensor([[0]])); torch.index_select(x,0,torch.tensor([0.5]))
torch.index_select(x,0,i.int()); torch.index_select(x,0,torch.tensor(0)).shape
torch.index_select(torch.tensor(1.),0,torch.tensor([0])).shape
torch.index_select(torch.tensor(1.),0,torch.tensor([0,0])).shape; torch.index_select(x,0,[0])
torch.take(x,torch.tensor([99])); torch.take(x,torch.tensor([-1])); torch.take(x,i.int())
torch.take(torch.zeros(0),i); torch.gather(x[0],1,torch.tensor([[9]])); torch.gather(x[0],1,torch.tensor([[-1]]))
torch.gather(x[0],1,torch.tensor([[0]]).int()); torch.gather(x[0],1,torch.tensor([0]))
torch.gather(x[0],5,torch.tensor([[0]])); torch.masked_select(x, torch.tensor([1,2])); torch.masked_select(x, m2)
torch.masked_select(x, torch.ones(4,dtype=torch.uint8)); torch.masked_select(x,[True])
torch.scatter(x[0],0,torch.tensor([[0]]),torch.zeros(1,1).double())
torch.scatter(x[0],0,torch.tensor([[0]]).int(),1.); torch.scatter(x[0],0,torch.tensor([[9]]),1.)
torch.scatter(x[0],0,torch.tensor([[0,0,0,0,0]]),1.); torch.scatter(x[0],0,torch.tensor([[0,0]]),torch.zeros(1,1))
torch.index_add(x,0,torch.tensor([0]),torch.zeros(2,3,4)); torch.index_add(x,0,torch.tensor([9]),torch.zeros(1,3,4))
torch.index_add(x,0,torch.tensor([0]),torch.zeros(1,3,4).double())
torch.index_add(x,0,torch.tensor([0]),torch.zeros(1,3,5)); torch.index_add(x,0,torch.tensor([[0]]),torch.zeros(1,3,4))
torch.index_fill(x,0,torch.tensor([9]),1.); torch.index_fill(x,0,torch.tensor([-1]),1.)
torch.index_fill(x,0,torch.tensor([0]),torch.zeros(2)); torch.index_fill(x,0,torch.tensor([0]).int(),1.)
torch.index_put(x,(torch.tensor([9]),),torch.tensor(1.)); torch.index_put(x,(i,),torch.tensor(1.).double())
torch.index_put(x,(i,),torch.zeros(5)); torch.index_put(x,[i,i],torch.zeros(2,4)).shape
torch.index_put(x,i,torch.zeros(2,4)); torch.take_along_dim(x[0],torch.tensor([0]),0)
torch.take_along_dim(x[0],torch.tensor([[0.5]]),0); torch.take_along_dim(x[0],torch.tensor([[9]]),0)
torch.index_fill(i,0,i,2.5); torch.scatter(i,0,i,2.5); torch.index_fill(x,0,torch.tensor([[0]]),1.)
torch.unbind(torch.tensor(1.)); list(torch.tensor(1.)); torch.split(x, 0); torch.split(x,[1,3]); torch.split(x,-1)
torch.chunk(x,0); torch.split(x,[1,-1,2]); torch.split(torch.tensor(1.),1); torch.select(x,0,9)
torch.tensor(1.).select(0,0); x.narrow(0,1,5); x.unfold(0,3,1); x.unfold(0,1,0); x.repeat(2); x.repeat(-1,1,1)
x.repeat_interleave(-1); x.repeat_interleave(torch.tensor([1,2,3])); x.repeat_interleave(torch.tensor([1,-2]),0)
x.repeat_interleave(torch.tensor([1.,2]),0); x.flip(0,0); x.flip(5); x.flip(); x.roll(1).shape; x.roll((1,2))
torch.meshgrid(i,i)[0].shape; torch.meshgrid(i,indexing='zz'); torch.broadcast_tensors(x,torch.ones(5))
x.unflatten(0,(3,4)); x.unflatten(0,()); x.as_strided((99,),(1,)); x.as_strided((2,),(1,2)); x.as_strided((2,),(-1,))
x.movedim(0,9); x.diagonal(99).shape; x.diagonal(0,0,0); x.diag(); x.T.shape; x[0].mT.shape
x.broadcast_to(2); x.broadcast_to(3,3,4); torch.hstack([]); torch.vstack(x); torch.repeat_interleave(i)
torch.repeat_interleave(x, 2, 1, output_size=5); x.split(2, 5); x.tile(); x.tile(2).shape; torch.tile(x, (2,))
torch.flip(x, (0,)).shape;
"""

DIFFERENTIABLE = """
torch.index_select(m, 1, i); m.index_add(0, s, v[None]); torch.index_add(m, 1, i, m[:, :2], alpha=3); m.index_fill(1, i, 2.)
m.index_fill(1, i, z); m.index_put((i, i), v[:2]); m.index_put((i * 0,), m, accumulate=True); torch.gather(m, 1, i[None])
m.scatter(1, i[None], m[:1, :2]); m.scatter(0, i[None], 2.); m.scatter_add(0, i[None] * 0, m[:1, :2]); m.take(i); torch.take_along_dim(m, (m > 0).long(), 1)
m.masked_select(m > 0); m[i]; m[[0, 0]]; m[:, i]; m[m > 0]; x[i, :, i]; x[True]; x[0, i]; x[..., 1:3]; x[m2]; x[m2, 1:]; m[i[:, None], i]
m.split(1)[1]; m.split([1, 2], 1)[1]; m.chunk(2, 1)[0]; m.unbind(1)[2]; torch.stack(m.unbind()[::-1]); torch.cat([m, m * 2], 1); torch.hstack([v, v]); torch.vstack([v, m])
m.repeat(2, 1, 2); m.tile(2); m.repeat_interleave(2); m.repeat_interleave(2, 1); m.repeat_interleave(torch.tensor([2, 1]), 0); m.flip(0); m.flip((0, 1)); m.fliplr(); m.flipud()
m.roll(1); m.roll((1, 2), (0, 1)); m.rot90(); m.rot90(-1, (1, 0)); m.tril(); m.triu(1); x.tril(-1); m.diagonal(); x.diagonal(1, 1, 2); v.diag(); m.diag(1); m.diag_embed(); v.diag_embed(1)
m.unfold(1, 2, 1); x.unfold(2, 3, 1).sum(3); m.as_strided((2, 2), (1, 2)); m.t().as_strided((3,), (2,), 1); m.narrow(1, 1, 2); m.select(1, -1); m.movedim(0, 1); x.movedim((0, 1), (2, 0))
m.unflatten(1, (3, 1)); m.ravel(); m.t().ravel(); m.broadcast_to(2, 2, 3); m.sum_to_size(1, 3); x.sum_to_size(3, 1); z.expand(2); torch.broadcast_tensors(m, v)[1]; m.swapaxes(0, 1)
torch.meshgrid(v, v[:2], indexing='ij')[1]; torch.meshgrid(v, v[:2], indexing='xy')[0]; x.squeeze(()); x[:1].squeeze((0, 1)); x.permute(2, 0, 1); torch.reshape(m, shape=(3, 2)); torch.permute(m, dims=(1, 0))
"""

STATEMENTS = """
y = m * 2; w = y.diagonal(); w.mul_(3); y.sum().backward()
y = m * 2; w = y.unfold(1, 2, 2); w.zero_(); (y * y).sum().backward()
y = m * 2; w = y.as_strided((2,), (4,)); w.mul_(v[:2]); (y * y).sum().backward()
y = m * 2; y.index_add_(1, i, m[:, :2]); (y * y).sum().backward()
y = m * 2; y.index_put_((i, i), z); (y * y).sum().backward()
y = m * 2; y.scatter_(0, i[None], 1.); y.index_fill_(1, i, 2.); y.tril_(); (y * y).sum().backward()
y = m * 2; a, b = y.split([1, 2], 1); (a * b).sum().backward()
y = m * 2; a, b = y.split([1, 2], 1); a.mul_(2)
y = m * 2; a, b = y.chunk(2); b.sum().backward(); r = a.output_nr, b.output_nr
y = m * 2; w = y.gather(1, i[None]); y.add_(1); w.sum().backward()
y = m * 2; w = y.take(i); y.add_(1); w.sum().backward()
y = m * 2; w = y.masked_select(y > 0); y.add_(1); w.sum().backward()
y = m * 2; w = y.index_select(0, i); y.add_(1); w.sum().backward()
y = m * 2; w = y[i]; y.add_(1); w.sum().backward()
y = m * 2; w = y.scatter(0, i[None], 1.); y.add_(1); w.sum().backward()
y = m * 2; w = m.index_add(1, i, y[:, :2]); y.add_(1); w.sum().backward()
y = m * 2; w = y.repeat(2, 1) + y.flip(0).repeat(2, 1) + y.roll(1).tile((2, 1)); y.add_(1); w.sum().backward()
a, b = m; (a * b).sum().backward()
r = torch.vmap(lambda a, j: a.gather(0, j))(x.detach(), torch.zeros(2, 1, 4, dtype=torch.long))
r = torch.vmap(lambda a, j: a.index_select(1, j))(x.detach(), torch.tensor([[0, 3], [1, 1]]))
r = torch.vmap(lambda a, j: a.scatter(1, j[:, None], 9.))(x.detach(), torch.tensor([[0, 3, 1], [1, 1, 2]]))
r = torch.vmap(lambda a: a[1:, [0, 2]])(x.detach()), torch.vmap(lambda a: a.expand(2, 4).t())(x.detach()[:, 0])
r = m.diagonal()._is_view(), m.flip(0)._is_view(), m.unfold(1, 2, 1).stride(), m.diagonal().stride(), m.split(2, 1)[0]._base is m
"""


def listed(text: str) -> list[str]:
    return [e.strip() for line in text.split("\n") for e in line.split(";") if e.strip()]


@pytest.mark.parametrize("expression", listed(INDEXING + FUNCTIONS + DIFFERENTIABLE))
def test_expression(expression: str) -> None:
    assert_twins(START + f"r = {expression}")


@pytest.mark.parametrize("statement", [line for line in STATEMENTS.split("\n") if line])
def test_statement(statement: str) -> None:
    assert_twins(START + statement)


@pytest.mark.parametrize("expression", listed(DIFFERENTIABLE))
def test_gradient_and_second_gradient(expression: str) -> None:
    assert_second_order(START, expression, "x, m, v, z")
