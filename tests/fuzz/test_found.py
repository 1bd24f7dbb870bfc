# ruff: noqa: E501 - one cell, one line
"""What random programs have found, as small cells: each once differed from PyTorch."""

import warnings

import pytest
import torch
from cells import tried, wrong

import autogradlab

FOUND = r"""
s=torch.tensor(1.); r=s.size(0)
s=torch.tensor(1.); r=s.size(-1)
s=torch.tensor(1.); r=s.size(1)
s=torch.tensor(1.); r=s.unbind(1)
s=torch.tensor(1.); r=s.split(1,1)
s=torch.tensor(1.); r=s.T
s=torch.tensor(1.); r=s.mT
x=torch.ones(3,2); r=x.expand(1,-1)
x=torch.ones(3); r=x.expand(-1,3)
x=torch.ones(3,2)>0; r=x.expand(3)
x=torch.ones(3,2); r=x.broadcast_to(-1,3)
x=torch.ones(0); r=x[[0,0]]
x=torch.ones(0,3); r=x[[0,0]]
x=torch.ones(3,0); r=x[[0,5]]
x=torch.ones(3,0); r=x[:,[0,5]]
x=torch.ones(0); x[[0,0]]=1
x=torch.ones(0); r=x[..., 0]
x=torch.ones(3); r=x[..., 5]
x=torch.ones(0); x[..., 0]=1
s=torch.tensor(1.); s[-1]=2
s=torch.tensor(1.); s[-1].mul_(2)
x=torch.ones(1); i=torch.tensor([0,1]); r=x.index_add(0,i,torch.ones(2))
x=torch.ones(0); i=torch.tensor([0,1]); r=x.index_add(0,i,torch.ones(2,1))
x=torch.ones(3); i=torch.tensor([0,1]); r=x.index_add(0,i,torch.ones(2,1))
x=torch.ones(2,3); i=torch.tensor([0,1]); r=x.index_add(1,i,torch.ones(2))
x=torch.ones(2,3); i=torch.tensor([0,1]); r=x.index_add(1,i,torch.tensor(1.))
x=torch.ones(2,3); i=torch.tensor([0,1]); r=x.index_add(0,i,torch.tensor(1.))
x=torch.ones(0,3); i=torch.tensor([0,5]); r=x.index_select(0,i)
x=torch.ones(2,0); i=torch.tensor([0,5]); r=x.index_select(0,i)
x=torch.ones(2,0); i=torch.tensor([0,5]); r=x.index_select(1,i)
c=torch.tensor([1]); r=c.hypot(torch.ones(1)); c.lerp(c,0.5)
c=torch.tensor([1]); c.lerp_(c,0.5)
c=torch.ones(2).double(); c.lerp(c,torch.tensor(.5))
c=torch.tensor([1]); r=c.logaddexp(torch.ones(1))
c=torch.ones(0,3,requires_grad=True); r=torch.std_mean(c); r[0].backward(); print(c.grad)
c=torch.ones(0,3,requires_grad=True); r=torch.var_mean(c)[1]; r.backward(); print(c.grad)
c=torch.ones(0,3,requires_grad=True); r=c.std(1,unbiased=False)
c=torch.ones(0,3,requires_grad=True); r=c.var(1)
c=torch.tensor([1]); r=torch.std_mean(c)
c=torch.tensor([1]); r=torch.var_mean(c)
c=torch.ones(2,requires_grad=True)*2; c.requires_grad=True
b=torch.ones(3); c=torch.ones(3,2); b.copy_(c.T)
b=torch.tensor(1.); b.copy_(torch.ones(3))
b=torch.ones(1); b.copy_(torch.ones(3))
b=torch.ones(3); b.copy_(torch.ones(1,3))
b=torch.ones(3); b.copy_(torch.ones(1,1,3))
a=torch.ones(2,2,requires_grad=True); (a*2).grad_fn()
a=torch.ones(2,2,requires_grad=True); (a*2).grad_fn(a,a)
a=torch.ones(2,2); torch.meshgrid(a,a.double(),indexing='ij')
a=torch.ones(2); torch.meshgrid(a,a.double(),indexing='ij')
F.linear(torch.tensor(1.),torch.ones(2,2))
F.linear(torch.ones(2),torch.tensor(1.))
a=torch.ones(2); b=torch.stack([a,torch.ones(3)],5)
a=torch.tensor(1.); b=torch.stack([a,torch.ones(3)],1)
a=torch.ones(2,requires_grad=True); b=a.sum().backward(inputs=[torch.ones(3)])
a=torch.ones(2); a.sum().backward(create_graph=True)
a=torch.ones(2); torch.autograd.grad(a.sum(),a)
a=torch.ones(2); a.sum().backward(inputs=[a])
x=torch.ones(3,requires_grad=True); r=int(x)
a=torch.ones(3,3); torch.linalg.solve(a, torch.tensor(1.))
a=torch.tensor([[1,2]]); torch.linalg.solve(a, a)
a=torch.tensor([1,2]); torch.linalg.solve(a, a)
a=torch.tensor([[1,2],[3,4]]); a.log_softmax(0)
a=torch.tensor([[1,2],[3,4]]); a.softmax(0)
F.rms_norm(torch.tensor([1,2]),(2,))
F.prelu(torch.ones(3), torch.ones(3).double())
F.avg_pool1d(torch.ones(0,3),2)
F.avg_pool1d(torch.ones(3,0),2)
torch.allclose(torch.ones(2,2,3), torch.ones(0,3))
a=torch.ones(3); a[1:].add_(a[:2])
a=torch.ones(3); a[1:]+=a[:2]
a=torch.ones(3); a.add_(a[0])
a=torch.ones(3); a[0].add_(a)
a=torch.ones(3,3); a.add_(a.T)
a=torch.ones(3,3); a.copy_(a.T)
a=torch.ones(3); a[1:].copy_(a[:2])
a=torch.ones(3); a[1:]=a[:2]
a=torch.ones(3); a[torch.tensor([0,1])]=a
a=torch.ones(3); a[torch.tensor([0,1])]=a[:2]
a=torch.ones(3); a.index_add_(0,torch.tensor([0,1]),a[:2])
a=torch.ones(3); a.scatter_(0,torch.tensor([0,1]),a)
a=torch.ones(3); a.expand(2,3).zero_()
a=torch.ones(3); a.expand(2,3).fill_(2)
a=torch.ones(3); a.expand(2,3).fill_(torch.ones(2))
a=torch.ones(3,requires_grad=True); a.expand(2,3).add_(1)
x=torch.ones(2,2,requires_grad=True); x[torch.tensor([True,False,True])]=0
x=torch.ones(1,requires_grad=True); x[torch.tensor([0,1])]=x
x=torch.ones(1,requires_grad=True); x[torch.tensor([0,1])]=2
x=torch.ones(2,3,4); r=x[..., 9]
x=torch.ones(2,3,4); r=x[x[:,:,0]>0, 9]
s=torch.tensor(1.); r=s[5]
s=torch.tensor(1.); r=s[-2]
a=torch.ones(3,requires_grad=True)\nwith torch.no_grad(): b=a.squeeze()\nprint(b.requires_grad, b.is_leaf, b is a); b.register_hook(print)
a=torch.ones(3,requires_grad=True)\nwith torch.no_grad(): b=a.view(3)\nprint(b.requires_grad, b.is_leaf, b is a); b.register_hook(print)
a=torch.ones(3,requires_grad=True)\nwith torch.no_grad(): b=a.view(3)\nb.retain_grad()
F.max_pool1d(torch.tensor([[0,1]]),2)
F.max_pool1d(torch.tensor([[[0,1]]]),2)
a=torch.tensor(1.); r=a.mv(torch.ones(1))
F.batch_norm(torch.ones(2),None,None,training=True)
F.cross_entropy(torch.tensor(1.),torch.tensor(0.))
torch.dist(torch.tensor([1]),torch.tensor([2]))
torch.tensor([1]).nanmean()
r=torch.tensor(1.).movedim(0,-1)
r=torch.tensor(1.).movedim(0,0)
r=torch.ones(0).unsqueeze(0).unflatten(0,(1,-1))
torch.ones(0,3).amax(-2)
torch.ones(0).amax(-1)
torch.ones(0,2).aminmax(dim=-2)
d=torch.ones(2,2,requires_grad=True); a,c=d.topk(2); c.detach_(); r=c._is_view()
d=torch.ones(2,2,requires_grad=True); a,c=d.max(0); r=c._is_view(), c._base is None; c.detach_()
d=torch.ones(2,2,requires_grad=True); r=d.median(1)[1]._is_view(), d.argmax(0)._is_view(), d.argmin()._is_view(), d.min(1)[0]._is_view()
a=torch.ones(2,3,requires_grad=True); b,c=a; c.expand(2,3).zero_()
a=torch.ones(2,3,requires_grad=True); b,c=a; c[1:].mul_(2)
a=torch.ones(2,3,requires_grad=True)*1; b,c=a; c[1:].mul_(2)
a=torch.ones(2,3); b,c=a; c.mul_(torch.ones(3,requires_grad=True))
a=torch.ones(2,3); b,c=a; c[1:].mul_(torch.ones(2,requires_grad=True))
a=torch.ones(2,3); b,c=a.split(1); c.requires_grad_(); c.mul_(2)
a=torch.ones(3,requires_grad=True); r=torch.autograd.grad(a,a,a)[0] is a
a=torch.ones(3,requires_grad=True); g=torch.ones(3); r=torch.autograd.grad(a+1,a,g)[0] is g
a=torch.ones(3,requires_grad=True); g=torch.ones(3,requires_grad=True); r=torch.autograd.grad(a.clone(),a,g)[0] is g
a=torch.ones(3,requires_grad=True); b=a*2; b.grad_fn.register_prehook(lambda g: print('pre')); b.register_hook(lambda g: print('tensor')); b.grad_fn.register_hook(lambda *g: print('post')); b.retain_grad(); torch.autograd.grad(b.sum(), b); r=b.grad
a=torch.ones(3,requires_grad=True); b=a*2; b.grad_fn.register_prehook(lambda g: (g[0]*5,)); r=torch.autograd.grad(b.sum(), [b,a])
a=torch.ones(3,requires_grad=True); b=a*2; b.grad_fn.register_prehook(lambda g: (g[0]*5,)); r=torch.autograd.grad(b.sum(), b)
a=torch.ones(3,requires_grad=True); b=a*2; b.grad_fn.register_prehook(lambda g: (g[0]*5,)); b.sum().backward(inputs=[b]); r=b.grad
torch.linalg.solve(torch.ones(2), torch.tensor([1]))
torch.linalg.solve(torch.ones(2,3), torch.tensor([1]))
torch.func.jvp(lambda t: t, (torch.tensor([1]),), (torch.ones(2),))
torch.func.jvp(lambda t: t, (torch.ones(1),), (torch.tensor([1,2]),))
a=torch.tensor(1.); r=a.index_add(0,torch.tensor([0,1]),a)
a=torch.tensor(1.); r=a.index_add(0,torch.tensor([0]),torch.ones(1))
a=torch.ones(1); r=a.index_add(0,torch.tensor([0]),torch.tensor(1.))
a=torch.ones(1); r=a.index_add(0,torch.tensor([0,1]),torch.tensor(1.))
a=torch.tensor(1.); r=a.index_add(0,torch.tensor([0,1]),torch.ones(2))
a=torch.ones(3); a[torch.tensor([0])]=torch.ones(1,dtype=torch.float64)
a=torch.ones(3); a[torch.tensor([0])]=torch.tensor(1.,dtype=torch.float64)
a=torch.ones(3); a[torch.tensor([0])]=torch.tensor(1)
a=torch.ones(3); a[a>0]=torch.tensor([1,1,1])
a=torch.ones(3); a[torch.tensor([0,5])]=torch.ones(3)
a=torch.ones(3); a[torch.tensor([0,5])]=torch.ones(2,dtype=torch.float64)
a=torch.ones(0); a[torch.tensor([0,5])]=torch.ones(3)
a=torch.ones(0); a[torch.tensor([0,5])]=torch.ones(3).double()
a=torch.ones(3); a.index_put((torch.tensor([0,5]),), torch.ones(3))
a=torch.ones(3); a.index_put((torch.tensor([0,1]),), torch.ones(3).double())
a=torch.ones(0); a.index_put((torch.tensor([0,1]),), torch.ones(3).double())
a=torch.tensor(1.); a.index_put((torch.tensor([0,1]),), torch.ones(3).double())
a=torch.ones(0); a.index_put_((torch.tensor([0,1]),), a)
a=torch.ones(3); a.index_put_((torch.tensor([0,1]),), a.detach())
i=torch.tensor([0,1]); i[i]=1
i=torch.tensor([0,1]); i[i]=i
i=torch.tensor([0,1]); i.scatter_(0,i,1)
i=torch.tensor([0,1]); i.index_add_(0,i,i)
i=torch.tensor([0,1]); i.index_fill_(0,i,3)
x=torch.ones(1); x.expand(-1,3)
x=torch.ones(0); x.expand(-1,0)
i=torch.tensor([1,2]); F.smooth_l1_loss(i,i)
i=torch.tensor([1,2]); F.huber_loss(i,i)
i=torch.zeros(0,dtype=torch.int64); r=F.softmin(i,0)
i=torch.zeros(0,dtype=torch.int64); r=F.softmax(i,0)
i=torch.zeros(0,dtype=torch.int64); r=i.log_softmax(0)
i=torch.zeros(0,3,dtype=torch.int64); r=i.log_softmax(1)
s=torch.tensor(1.); r=F.triplet_margin_loss(s,s,s)
s=torch.tensor(1.); r=F.pairwise_distance(s,s)
b=torch.ones(3); a=torch.ones(2,2); b.index_add_(0,torch.tensor([0,1]),a)
b=torch.ones(2,2); a=torch.ones(3,3); b.index_add_(0,torch.tensor([0,1]),a)
c=torch.ones(2,1); torch.where(torch.tensor([True,False,True]),c,torch.ones(0))
c=torch.ones(2,3); torch.where(torch.tensor([True,False,True]),c,torch.ones(4))
c=torch.ones(2,3); c.lerp(torch.ones(2),torch.ones(4))
a=torch.ones(2,3); d,b=a; a.requires_grad=True; b.backward()
r=F.cross_entropy(torch.ones(0),torch.ones(0))
a=torch.ones(0,requires_grad=True); r=F.cross_entropy(a,a)
a=torch.ones(0,3,requires_grad=True); r=F.cross_entropy(a,a)
x=torch.ones(3,2,requires_grad=True); r=F.rms_norm(x.T,(3,))
x=torch.ones(3,2,requires_grad=True); r=F.rms_norm(x.T,(3,),torch.ones(3))
x=torch.ones(2,3,4,requires_grad=True); r=F.rms_norm(x.transpose(0,1),(4,))
s=torch.tensor(1.,requires_grad=True); r=F.pairwise_distance(s,s), F.pairwise_distance(s,s,1.), F.triplet_margin_loss(s,s,s)
i=torch.tensor([1]); r=torch.stack([i,torch.ones(1)]), torch.stack([i.int(),torch.ones(1)]), torch.stack([i>0,i]), torch.cat([i,torch.ones(1)])
a=torch.zeros(0); r=torch.cat([a,a],1)
a=torch.zeros(0); r=torch.cat([a,a],-2)
a=torch.zeros(0); r=torch.cat([a,a],5)
a=torch.ones(2,requires_grad=True); b=torch.ones(2,dtype=torch.float64,requires_grad=True); r=torch.cat([a,b]); r.sum().backward()
a=torch.ones(2,requires_grad=True); b=torch.ones(2).long(); r=torch.stack([a,b]), torch.cat([b,a]), torch.hstack([a,b]), torch.vstack([a,b])
a=torch.ones(2,3,requires_grad=True)*1; b,c=a; a.mul_(2); c.grad_fn
a=torch.ones(2,3,requires_grad=True)*1; b,c=a; d=c[1:]; a.mul_(2); d.grad_fn
a=torch.ones(2,3); b,c=a; a.mul_(torch.ones(3,requires_grad=True)); c.grad_fn
a=torch.ones(2,3); b=a.unbind()[0]; a.sigmoid_(); a.requires_grad_(); b.is_leaf
a=torch.ones(2,3,requires_grad=True)*1; b=a.unbind()[0]; a.sigmoid_()\ntry: b.is_leaf\nexcept RuntimeError: print(1)\nb.is_leaf
a=torch.tensor([1.,2.,0.5]); k,i=a.topk(2); i[-1:].add_(i)
a=torch.tensor([0.25],requires_grad=True)\nwith torch.no_grad(): b=a.squeeze()\nprint(b)
a=torch.ones(3,requires_grad=True)*1; a[None]=a*2
a=torch.tensor([False])*torch.ones(3,requires_grad=True); a.sum().backward(); a.sum().backward(inputs=[a])
b=torch.ones(3); b.addmm_(torch.ones(3,3),torch.ones(3,3))
r=F.cosine_similarity(torch.ones(2,requires_grad=True),torch.tensor([1,2]),0)
r=F.triplet_margin_loss(*[torch.tensor([[0,2],[1,1]])]*3)
b=torch.tensor([-0.5]); a=b[0]; c=a.cumsum(-1); c.mul_(2); d=a.cumprod(0); d.zero_(); print(b)
c,b=torch.ones(2,1,requires_grad=True).unbind(); b.expand(2,3).zero_()
a=torch.ones(2,3,requires_grad=True)*1; b,c=a; a.mul_(2); print(c > 2); print(c)
i=torch.tensor([1,2]); r=F.prelu(i,i[:1])
x=torch.tensor([float('nan'),-0.0,-2,3],requires_grad=True); print(x.sign()); x.abs().sum().backward(); print(x.grad)
x=torch.tensor([float('nan'),1.]); F.l1_loss(x.requires_grad_(),torch.zeros(2)).backward(); print(x.grad); x.norm(1).backward(); print(x.grad)
for d in (torch.uint8,torch.int8,torch.int64,torch.float16): print(torch.tensor([0,1,5],dtype=d).sign())
m=torch.ones(3,2,requires_grad=True); r=torch.ones(3)@m; print(r._version, r._is_view()); r.mul_(2); r.sum().backward()
a=torch.ones(3,requires_grad=True); a.data=torch.ones(2).long()
a=torch.ones(3,requires_grad=True); b=a*1; b.data=torch.ones(2)>0
a=torch.ones(3,requires_grad=True); b=a*a; c=b*b; b.copy_(c); c.sum().backward()
a=torch.ones(3,requires_grad=True); (g,)=torch.autograd.grad(a.mean(),a); g.add_(1); print(g, g._is_view())
"""


@pytest.mark.parametrize("cell", [line for line in FOUND.split("\n") if line])
def test_found(cell: str) -> None:
    code = cell.replace(r"\n", "\n")
    difference = wrong(f"F = torch.nn.functional\n{tried(code)}")
    assert not difference, difference


def test_to_read_a_number_within_no_grad_is_no_reason_to_warn() -> None:
    """Both engines warn once in a process; here both are made to warn each time."""
    said = []
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        for engine in (autogradlab, torch):
            autogradlab.errors.warn_once.cache_clear()
            a = engine.ones(1, requires_grad=True)
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                with engine.no_grad():
                    float(a)
                within = len(seen)
                float(a)
            said.append((within, [str(w.message).partition(" (Trigg")[0] for w in seen]))
    finally:
        torch.set_warn_always(always)
    assert said[0] == said[1] and said[0][1]
