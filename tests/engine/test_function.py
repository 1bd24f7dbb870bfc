# ruff: noqa: E501 - one program, one line
"""`autograd.Function`: the same programs here and on torch, with what they print and raise."""

import pytest
from twins import assert_twins

START = """
from torch.autograd import Function
from torch.autograd.function import once_differentiable
x = torch.tensor([1., 2., 3.], requires_grad=True)
c = torch.ones(3)
"""
SQUARE = """
class Sq(Function):
    @staticmethod
    def forward(ctx, x, *a):
        {forward}
    @staticmethod
    def backward(ctx, *gs):
        g = gs[0]
        {backward}
{program}
"""

# What forward does, what backward does, the program that uses them.
SHORT = [
    ('return x*x', 'return g,g,g', 'Sq.apply(x).sum().backward()'),
    ('return x*x', 'return g,None,None', 'Sq.apply(x).sum().backward(); print(x.grad)'),
    ('return x*x', 'return 3', 'Sq.apply(x).sum().backward()'),
    ('return x*x', 'return g,g', 'Sq.apply(x,5).sum().backward()'),
    ('return x*x', 'return g', 'Sq.apply(x,5).sum().backward()'),
    ('return x*x', 'return g,g', 'y=Sq.apply(x,c); print(y.grad_fn, y.grad_fn.next_functions, y.grad_fn.needs_input_grad, type(y.grad_fn)); y.sum().backward(); print(x.grad,c.grad)'),
    ('return x*x', 'return torch.ones(7)', 'Sq.apply(x).sum().backward()'),
    ('ctx.save_for_backward(3.); return x*x', 'return g*2', 'Sq.apply(x)'),
    ('ctx.save_for_backward(x,None); ctx.foo=3; return x*x', 'print(ctx.saved_tensors, ctx.foo); return g', 'y=Sq.apply(x); print(y.grad_fn.foo, y.grad_fn.saved_tensors); y.sum().backward(); y.sum().backward()'),
    ('return x', 'return g*2', 'y=Sq.apply(x); print(y is x, y, y._base is x); y.sum().backward(); print(x.grad)'),
    ('return 5', 'return g*2', 'y=Sq.apply(x); print(y)'),
    ('return x*2, 5, x*3', 'print(gs); return gs[0]', 'y=Sq.apply(x); print(y); y[0].sum().backward(); print(x.grad)'),
    ('o=x*2; ctx.mark_non_differentiable(o); return o', 'return g*2', 'y=Sq.apply(x); print(y)'),
    ('x.mul_(2); ctx.mark_dirty(x); return x', 'return g*2', 'y=Sq.apply(x)'),
    ('x.mul_(2); ctx.mark_dirty(x); return x', 'return g*2', 'y=x*1; z=Sq.apply(y); print(z is y, z, y._version); z.sum().backward(); print(x.grad)'),
    ('x.mul_(2); ctx.mark_dirty(x); return x*1', 'return g*2', 'y=x*1; z=Sq.apply(y)'),
    ('x.mul_(2); return x', 'return g*2', 'y=x*1; z=Sq.apply(y); print(z)'),
    ('x.mul_(2); ctx.mark_dirty(x); return x', 'return g*2', 'y=x*1; z=Sq.apply(y[1:]); print(z)'),
    ('ctx.set_materialize_grads(False); return x*2, x*3', 'print(gs); return gs[0]', 'y=Sq.apply(x); y[0].sum().backward()'),
    ('ctx.save_for_backward(x); return x*x', 'return 2*ctx.saved_tensors[0]*g', 'y=Sq.apply(x*1); \nw=x*1; y=Sq.apply(w); w.add_(1); y.sum().backward()'),
    ('o=x.exp(); ctx.save_for_backward(o); return o', 'return ctx.saved_tensors[0]*g', 'y=Sq.apply(x); y.add_(1); y.sum().backward()'),
    ('return x*x', 'return g*2', 'Sq.apply(x=x)'),
    ('return x, x', 'return gs[0]+gs[1]', 'y,z=Sq.apply(x); print(y,z,y is z)'),
    ('return (x*1).long()', 'return g*2', 'y=Sq.apply(x); print(y)'),
    ('return x[1:]', 'return torch.ones(3)', 'y=Sq.apply(x); print(y, y._is_view()); z=x*1; y=Sq.apply(z); print(y._is_view()); y.mul_(2)'),
    ('return x*x', 'return None', 'y=Sq.apply(x); y.sum().backward(); print(x.grad)'),
    ('return x*x', 'return (None,)', 'y=Sq.apply(x); print(torch.autograd.grad(y.sum(),x))'),
    ('ctx.needs_input_grad; print(ctx.needs_input_grad); return x*x', 'return g*2', 'with torch.no_grad(): y=Sq.apply(x,c,3); print(y)'),
    ('return x*x', 'return g.double()', 'Sq.apply(x).sum().backward(); print(x.grad.dtype)'),
    ('return [x*1]', 'return g*2', 'print(Sq.apply(x))'),
    ('return None', 'return g*2', 'print(Sq.apply(x))'),
]
WHOLE = [
    """
Sq=Function; Sq.apply(torch.ones(3))""",
    """
class Sq(Function):
  @staticmethod
  def forward(ctx,x): return x*1
Sq.apply(x).sum().backward()""",
    """
class Sq(Function):
  @staticmethod
  def forward(ctx,x): ctx.save_for_backward(x); return x*x
  @staticmethod
  @once_differentiable
  def backward(ctx,g): x,=ctx.saved_tensors; return 2*x*g
g,=torch.autograd.grad(Sq.apply(x).sum(),x,create_graph=True); print(g); g.sum().backward()""",
    """
class Sq(Function):
  @staticmethod
  def forward(x,n): return x**n, x*1
  @staticmethod
  def setup_context(ctx,inputs,output): x,n=inputs; print(type(inputs),type(output)); ctx.n=n; ctx.save_for_backward(x)
  @staticmethod
  def backward(ctx,g,h): x,=ctx.saved_tensors; return g*ctx.n*x**(ctx.n-1), None
y,_=Sq.apply(x,3); print(y); y.sum().backward(); print(x.grad)""",
    """
class Twice(Function):
  @staticmethod
  def forward(ctx, x):
    ctx.save_for_backward(x, x * x)
    return x ** 3
  @staticmethod
  def backward(ctx, g):
    x, square = ctx.saved_tensors
    return g * 3 * x * x
(g,) = torch.autograd.grad(Twice.apply(x).sum(), x, create_graph=True)
print(g.grad_fn is not None)
(g * g).sum().backward()
g = g.detach()""",
    """
class Two(Function):
  @staticmethod
  def forward(ctx, a, b):
    ctx.save_for_backward(a, b)
    return a * b, a + b
  @staticmethod
  def backward(ctx, g, h):
    a, b = ctx.saved_tensors
    return g * b + h, g * a + h
y = x * 2
p, q = Two.apply(y, c.requires_grad_())
print(p.output_nr, q.output_nr, p.grad_fn is q.grad_fn, p.grad_fn.next_functions)
(p * q).sum().backward()""",
]


@pytest.mark.parametrize(("forward", "backward", "program"), SHORT)
def test_a_square(forward: str, backward: str, program: str) -> None:
    assert_twins(
        START + SQUARE.format(forward=forward, backward=backward, program=program)
    )


@pytest.mark.parametrize("program", WHOLE)
def test_function(program: str) -> None:
    assert_twins(START + program)


def test_backward_runs_when_nothing_arrives() -> None:
    """A user's backward may give something from nothing; it gets zeros, or None if it asks so."""
    assert_twins(START + """
class Nothing(Function):
    forward = staticmethod(lambda ctx, x: x * 1)
    backward = staticmethod(lambda ctx, g: None)
def op(materialize):
    class Op(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3
        @staticmethod
        def backward(ctx, *gs):
            print(gs)
            return torch.ones(3)
    return Op.apply
for materialize in (True, False):
    y, z = op(materialize)(x)
    (Nothing.apply(y) + Nothing.apply(z)).sum().backward()
    print(x.grad)
""")


FORWARD = """
import torch.autograd.forward_ad as fwAD
class Op(Function):
    @staticmethod
    def forward(ctx, x, y, n=2):
        ctx.save_for_forward(x, y)
        ctx.save_for_backward(y, x)
        ctx.n = n
        {forward}
    @staticmethod
    def backward(ctx, *gs):
        y, x = ctx.saved_tensors
        return gs[0] * y, gs[0] * x, None
    @staticmethod
    def jvp(ctx, *ts):
        x, y = ctx.saved_tensors
        {jvp}
t = torch.tensor([1., 0., 2.])
u = torch.tensor([0.5, 1., 1.])
p = torch.tensor([1., 2., 3.])
"""
BOTH = "return ts[0] * y + x * ts[1]"
USE = "y = Op.apply(fwAD.make_dual(p, t), fwAD.make_dual(c, u)); print(fwAD.unpack_dual(y))"


@pytest.mark.parametrize(
    ("forward", "jvp", "program"),
    [
        ("return x * y", BOTH, USE),
        ("return x * y", "print(ts, ctx.n, len(ctx.saved_tensors)); " + BOTH, "print(fwAD.unpack_dual(Op.apply(fwAD.make_dual(p, t), c, 5)))"),
        ("ctx.set_materialize_grads(False); return x * y", "print(ts); return ts[0] * y", "print(fwAD.unpack_dual(Op.apply(fwAD.make_dual(p, t), c, 5)))"),
        ("return x * y, x * 2", "return ts[0] * y + x * ts[1], ts[0] * 2", "y, z = Op.apply(fwAD.make_dual(p, t), c); print(fwAD.unpack_dual(y), fwAD.unpack_dual(z))"),
        ("return x * y", BOTH, "y = Op.apply(x, c); print(y); y.sum().backward(); print(x.grad)"),
        ("return x * y", BOTH, "y = Op.apply(fwAD.make_dual(x, t), fwAD.make_dual(c, u)); fwAD.unpack_dual(y).tangent.sum().backward(); print(x.grad)"),
        ("return x * y", BOTH, "q = fwAD.make_dual(p, t).requires_grad_(); y = Op.apply(q, c); (g,) = torch.autograd.grad((y * y).sum(), q); print(fwAD.unpack_dual(g))"),
        ("return x * y", "raise ValueError('no')", USE),
        ("return x * y", "return ts[0][:2]", USE),
    ],
)
def test_jvp(forward: str, jvp: str, program: str) -> None:
    code = FORWARD.replace("{forward}", forward).replace("{jvp}", jvp)
    assert_twins(START + code + f"with fwAD.dual_level():\n    {program}\n    y = z = g = q = None")
