
"""Products, contractions and linear algebra must do here what they do on the installed PyTorch."""

import pytest
from twins import assert_second_order, assert_twins

START = """
m = torch.tensor([[0.3, -0.7, 1.1], [2.0, 0.4, -0.9]], requires_grad=True)
v = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
b = (torch.arange(24.).reshape(4, 2, 3) / 7).requires_grad_()
a = torch.tensor([[2., 0.5, -1.], [0.3, 1.5, 0.7], [-0.2, 0.4, 3.]], requires_grad=True)
p = b.detach()[:, :, :2]
"""

ERRORS = """
torch.mm(torch.ones(2),torch.ones(2,2)); torch.mm(torch.ones(2,2,2),torch.ones(2,2))
torch.mv(torch.ones(2),torch.ones(2)); torch.mv(torch.ones(2,3),torch.ones(2))
torch.mv(torch.ones(2,3),torch.ones(3,1)); torch.bmm(torch.ones(2,2),torch.ones(2,2))
torch.bmm(torch.ones(2,2,2),torch.ones(2,2)); torch.bmm(torch.ones(2,2,2),torch.ones(3,2,2))
torch.mm(torch.ones(2,2).bool(),torch.ones(2,2).bool()); torch.mm(torch.ones(2,2).long(),torch.ones(2,2).long())
torch.addmm(torch.ones(2,2),torch.ones(2,3),torch.ones(2,3))
torch.addmm(torch.ones(3),torch.ones(2,3),torch.ones(3,2))
torch.addmm(torch.ones(2),torch.ones(2,3),torch.ones(3,2).double())
torch.addmm(torch.ones(2).double(),torch.ones(2,3),torch.ones(3,2))
torch.addmm(torch.ones(2,2),torch.ones(2),torch.ones(3,2))
torch.addmm(torch.ones(2,2).long(),torch.ones(2,3).long(),torch.ones(3,2).long(),alpha=.5)
torch.addmm(torch.ones(2,2,2),torch.ones(2,3),torch.ones(3,2))
torch.addmv(torch.ones(2),torch.ones(2,3),torch.ones(2)); torch.addmv(torch.ones(3),torch.ones(2,3),torch.ones(3))
torch.addmv(torch.ones(2,2),torch.ones(2,3),torch.ones(3))
torch.addmv(torch.ones(2),torch.ones(2,3),torch.ones(3).double())
torch.baddbmm(torch.ones(2,2,2),torch.ones(2,2,3),torch.ones(2,2,3))
torch.baddbmm(torch.ones(3,2,2),torch.ones(2,2,3),torch.ones(2,3,2))
torch.baddbmm(torch.ones(2,2),torch.ones(2,2,3),torch.ones(2,3,2)).shape
torch.baddbmm(torch.ones(2,2,2),torch.ones(2,2,3),torch.ones(2,3,2).double())
torch.baddbmm(torch.ones(2,2,2),torch.ones(2,2,3),torch.ones(3,3,2))
torch.baddbmm(torch.ones(2,2,2),torch.ones(2,3),torch.ones(3,3,2)); torch.outer(torch.ones(2,2),torch.ones(2))
torch.outer(torch.ones(2),torch.ones(2).long()).dtype; torch.inner(torch.ones(2,3),torch.ones(2))
torch.inner(torch.ones(2,3),torch.ones(4,3)); torch.inner(torch.ones(2,3),torch.ones(3).double())
torch.tensordot(torch.ones(2,3),torch.ones(4,5),1); torch.tensordot(torch.ones(2,3),torch.ones(3,5),3)
torch.tensordot(torch.ones(2,3),torch.ones(3,5),-1); torch.tensordot(torch.ones(2,3),torch.ones(3,5),([0],[1,0]))
torch.tensordot(torch.ones(2,3),torch.ones(3,5),([5],[0]))
torch.tensordot(torch.ones(2,3),torch.ones(3,5).double(),1); torch.tensordot(torch.ones(2,3),torch.ones(3,5),'a')
torch.tensordot(torch.ones(2,3),torch.ones(2,3),([0,0],[0,1])); torch.einsum('ij,jk',torch.ones(2,3),torch.ones(4,5))
torch.einsum('ij',torch.ones(2)); torch.einsum('ij->k',torch.ones(2,2)); torch.einsum('ij->ii',torch.ones(2,2))
torch.einsum('i1',torch.ones(2,2)); torch.einsum('i,j',torch.ones(2)); torch.einsum('i',torch.ones(2),torch.ones(2))
torch.einsum('i..',torch.ones(2)); torch.einsum('ii',torch.ones(2,3)); torch.einsum('...i...',torch.ones(2))
torch.einsum('i->...i...',torch.ones(2)); torch.einsum('i->1',torch.ones(2))
torch.einsum('...i,...j',torch.ones(2,2),torch.ones(3,2))
torch.einsum('ij,jk',torch.ones(2,3),torch.ones(3,2).double())
torch.einsum(torch.ones(2,3),[0,1],torch.ones(3,4),[1,2],[0,2]); torch.einsum('ij'); torch.einsum(3)
torch.cross(torch.ones(2,3),torch.ones(2,3)); torch.cross(torch.ones(2,3),torch.ones(3))
torch.cross(torch.ones(2,2),torch.ones(2,2)); torch.cross(torch.ones(3,3),torch.ones(3,3))
torch.linalg.cross(torch.ones(2,3),torch.ones(2,3).double()); torch.linalg.cross(torch.ones(3),torch.ones(3),dim=1)
torch.cross(torch.ones(2,3),torch.ones(4,3),dim=1); torch.linalg.vecdot(torch.ones(2,3),torch.ones(3))
torch.linalg.vecdot(torch.ones(2,3),torch.ones(4,3)); torch.linalg.vecdot(torch.ones(2,3),torch.ones(2,3).double())
torch.linalg.vecdot(torch.ones(3),torch.ones(3),dim=1); torch.vdot(torch.ones(2),torch.ones(3))
torch.vdot(torch.ones(2,2),torch.ones(2)); torch.ones(2,3)@torch.ones(2,3); torch.ones(2,2,3)@torch.ones(2,2)
torch.ones(2,2,3)@torch.ones(2); torch.ones(2)@torch.ones(2,3,2); torch.ones(2,2)@torch.ones(2,3,2)
torch.ones(3,2,2)@torch.ones(2,2,2); torch.dot(torch.ones(2),3)
torch.linalg.solve(torch.ones(2,2),torch.ones(3)); torch.linalg.solve(torch.eye(2),torch.ones(2,2).double())
torch.linalg.solve(torch.eye(2),torch.ones(3,2)); torch.linalg.solve(torch.eye(2).expand(3,2,2),torch.ones(3,2)).shape
torch.linalg.solve(torch.eye(2).expand(3,2,2),torch.ones(2)).shape
torch.linalg.solve(torch.eye(2).expand(3,2,2),torch.ones(2,1)).shape
torch.linalg.solve(torch.eye(2).expand(3,2,2),torch.ones(4,2,2)); torch.linalg.det(torch.ones(2))
torch.linalg.det(torch.ones(2,3)); torch.linalg.det(torch.ones(2,2).long()); torch.linalg.slogdet(torch.ones(2,3))
torch.linalg.slogdet(torch.ones(2)); torch.linalg.slogdet(torch.ones(2,2).long())
torch.linalg.norm(torch.ones(2,2,2),2); torch.linalg.norm(torch.ones(2,2),dim=(0,1,2))
torch.linalg.norm(torch.ones(2,2),'fro',dim=0); torch.linalg.norm(torch.ones(2),'fro')
torch.linalg.norm(torch.ones(2,2),'abc'); torch.linalg.norm(torch.ones(2,2),3)
torch.linalg.norm(torch.ones(2,2),2,dim=(0,0)); torch.linalg.norm(torch.ones(2).long())
torch.linalg.vector_norm(torch.ones(2).long()); torch.linalg.vector_norm(torch.ones(2),'fro')
torch.linalg.vector_norm(torch.ones(0),float('inf')); torch.linalg.vector_norm(torch.ones(0),-1)
torch.linalg.vector_norm(torch.ones(0),0.5); torch.linalg.vector_norm(torch.ones(2,0),float('inf'),dim=1)
torch.linalg.vector_norm(torch.ones(2,0),float('inf'),dim=0); torch.linalg.vector_norm(torch.ones(2),dtype=torch.long)
torch.linalg.vector_norm(torch.ones(2).double(),dtype=torch.float32); torch.linalg.matrix_norm(torch.ones(2))
torch.linalg.matrix_norm(torch.ones(2,2),3); torch.linalg.matrix_norm(torch.ones(2,2),'x')
torch.linalg.matrix_norm(torch.ones(2,2),dim=(0,))
torch.linalg.matrix_norm(torch.ones(2,2),dim=(0,0)); torch.linalg.matrix_norm(torch.ones(0,2),2)
torch.linalg.matrix_norm(torch.ones(2,0),1); torch.linalg.matrix_norm(torch.ones(2,2).long())
torch.linalg.matrix_power(torch.ones(2,2),1.5); torch.linalg.matrix_power(torch.ones(2,3),2)
torch.linalg.norm(torch.ones(2,2),ord=2,dim=5); torch.linalg.norm(torch.ones(0,0),2)
torch.linalg.norm(torch.ones(2,2,2)); torch.linalg.norm(torch.ones(2,2),'nuc',dim=(0,))
torch.linalg.norm(torch.ones(2,2),1); torch.matrix_power(torch.ones(2,2).long(),2)
torch.linalg.cross(torch.ones(2,3),torch.ones(3)); torch.linalg.matrix_norm(torch.ones(2,2).half())
torch.linalg.inv(torch.ones(2,2).half()); torch.linalg.norm(torch.ones(2,2),float('nan'))




"""

DIFFERENTIABLE = """
m @ v; b @ v; b @ m.T; m.T @ b; v[:2] @ b; b[:1] @ b.mT; b @ b[:1].mT; p @ m; p[:1] @ b; p.mT @ b; p.mT @ m; m @ b.detach().mT; m.detach() @ b.mT; b.detach().mT @ v[:2]; b.mT @ p[0]; b[None] @ b.mT
b.permute(1, 0, 2) @ a; b.permute(1, 0, 2).detach() @ a.detach() + m.sum(); b.permute(2, 0, 1) @ m; v[:2] @ b.mT.detach().mT; b.detach() @ v; b.mT.detach() @ v.detach()[:2] * v.sum()
torch.addmm(v, m, a); torch.addmm(m, m, a, beta=2, alpha=3); torch.addmm(m, m, a, beta=0); torch.addmv(v, a, v, beta=.5, alpha=2); torch.baddbmm(b, p, b, beta=2, alpha=.5); v.outer(v); v.ger(v); torch.vdot(v, v)
torch.inner(m, m); torch.inner(v, v); torch.inner(m, v.sum()); torch.tensordot(b, m); torch.tensordot(b, a, 1); torch.tensordot(m, m, ([0, 1], [0, 1])); torch.tensordot(m, m.T, ([0, 1], [1, 0])); torch.tensordot(m, v, 0); torch.tensordot(b[:, :1], b, ([1, 2], [1, 2]))
torch.einsum('ij,jk->ik', m, a); torch.einsum('ij,j', m, v); torch.einsum('bij,kj->bik', b, m); torch.einsum('ij->ji', m); torch.einsum('ii', a); torch.einsum('ii->i', a); torch.einsum('ij->', m); torch.einsum('i,j->ij', v, v); torch.einsum('ij,ij->ij', m, m); torch.einsum('ij,ij', m, m)
torch.einsum('...ij,...jk->...ik', b, a); torch.einsum('b...,b...->...', b, b); torch.einsum('bij,bjk', b, b.mT); torch.einsum('bij,kl,jl->bk', b, m, a); torch.einsum('ij,jk,kl->il', m, a, a); torch.einsum(m, [0, 1], a, [1, 2], [0, 2]); torch.einsum('i...->...', m); torch.einsum('bhi,bhj->bhij', b, b); torch.einsum('...', v); torch.einsum('bij,kj->bki', b, m); torch.einsum('bij,bkj->bki', b, b); torch.einsum('ij, jk -> ki', m, a)
torch.linalg.cross(m, m.flip(1)); torch.cross(m, v[None], dim=1); torch.linalg.vecdot(m, m); torch.linalg.vecdot(v, v); torch.linalg.inv(a); torch.inverse(a); a.inverse(); torch.linalg.det(a); a.det(); torch.linalg.slogdet(a)[1]; torch.linalg.slogdet(a.expand(2, 3, 3)).logabsdet
torch.linalg.solve(a, v); torch.linalg.solve(a, m.T); torch.linalg.solve(a, m, left=False); torch.linalg.solve(a.expand(2, 3, 3), m); torch.linalg.solve(a, b.mT); torch.linalg.cholesky(a @ a.T); torch.linalg.cholesky(a @ a.T, upper=True); torch.linalg.matrix_power(a, 2); a.matrix_power(5); torch.matrix_power(a, -3); torch.linalg.matrix_power(a, 1)
torch.linalg.norm(m); torch.linalg.norm(v, 3); torch.linalg.norm(m, dim=1); torch.linalg.norm(m, 'fro'); torch.linalg.norm(m, 2); torch.linalg.norm(m, -2); torch.linalg.norm(m, 'nuc', keepdim=True); torch.linalg.norm(m, 1); torch.linalg.norm(m, float('inf')); torch.linalg.norm(b, 2, dim=(0, 2)); torch.linalg.vector_norm(m, 0); torch.linalg.vector_norm(m, 1.5, dim=0); torch.linalg.vector_norm(m, float('-inf'))
torch.linalg.matrix_norm(b); torch.linalg.matrix_norm(b, 2); torch.linalg.matrix_norm(b, -1, keepdim=True); torch.linalg.vector_norm(v * 0)
"""

STATEMENTS = """
y = a * 2; w = torch.linalg.inv(y); y.add_(1); w.sum().backward()
y = a * 2; w = torch.linalg.inv(y); w.add_(1); w.sum().backward()
y = a * 2; w = torch.linalg.det(y); y.add_(1); w.sum().backward()
y = v * 2; w = torch.linalg.solve(a, y); y.add_(1); w.sum().backward()
y = v * 2; w = torch.linalg.norm(y); y.add_(1); w.backward()
y = m * 2; w = torch.addmm(y, m, a); y.add_(1); w.sum().backward()
y = m * 2; y.addmm_(m, a, alpha=2); (y * y).sum().backward()
z = torch.zeros(3, requires_grad=True); torch.linalg.norm(z).backward()
z = torch.zeros(2, 2, requires_grad=True); torch.linalg.slogdet(z + torch.eye(2))[1].backward()
y = torch.linalg.matrix_power(a, 0); (y * y).sum().backward()
torch.linalg.inv(torch.ones(2, 2))
torch.linalg.inv(torch.ones(2, 2).expand(3, 2, 2))
torch.linalg.solve(torch.zeros(2, 2), torch.ones(2))
torch.linalg.cholesky(torch.tensor([[1., 2.], [2., 1.]]))
r = torch.linalg.LinAlgError.__name__, issubclass(torch.linalg.LinAlgError, RuntimeError)
r = torch.linalg.inv(a).stride(), torch.linalg.cholesky(a @ a.T).stride(), torch.linalg.solve(a, m.T).stride()
s = torch.linalg.slogdet(a); r = s.sign, s.logabsdet
w = a.detach(); r = torch.vmap(lambda x, y: w @ x + x @ w + torch.addmv(y, w, x) + x.dot(y))(b.detach()[0], m.detach())
w = a.detach(); r = torch.vmap(lambda x: torch.addmm(x[0], x, w) + torch.einsum('ij,kj->ik', x, w))(b.detach()), torch.vmap(torch.linalg.det)(w * torch.arange(1., 3.)[:, None, None])
r = torch.func.hessian(lambda x: torch.linalg.norm(x) ** 3)(v.detach()), torch.func.jacfwd(lambda x: torch.linalg.norm(x, 'nuc'))(m.detach())
"""


def listed(text: str) -> list[str]:
    return [e.strip() for line in text.split("\n") for e in line.split(";") if e.strip()]


@pytest.mark.parametrize("expression", listed(ERRORS + DIFFERENTIABLE))
def test_expression(expression: str) -> None:
    assert_twins(START + f"r = {expression}")


@pytest.mark.parametrize("statement", [line for line in STATEMENTS.split("\n") if line])
def test_statement(statement: str) -> None:
    assert_twins(START + statement)


@pytest.mark.parametrize("expression", listed(DIFFERENTIABLE))
def test_gradient_and_second_gradient(expression: str) -> None:
    assert_second_order(START, expression, "m, v, b, a")
