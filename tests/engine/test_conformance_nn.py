
"""Snippets of `nn.functional` that must do here what they do on the installed PyTorch."""

import pytest
from twins import assert_twins

START = """
x = torch.randn(4, 6).requires_grad_(); y = torch.randn(4, 6).requires_grad_(); v = torch.randn(6).requires_grad_()
im = torch.randn(2, 4, 8, 8).requires_grad_(); sq = torch.randn(2, 4, 8).requires_grad_()
w = torch.randn(6, 4, 3, 3).requires_grad_(); w1 = torch.randn(6, 4, 3).requires_grad_(); b = torch.randn(6).requires_grad_()
A = torch.randn(5, 6).requires_grad_(); a = torch.randn(5).requires_grad_(); c4 = torch.randn(4).requires_grad_()
q = torch.randn(2, 2, 4, 8).requires_grad_(); k = torch.randn(2, 2, 4, 8).requires_grad_(); u = torch.randn(2, 2, 4, 8).requires_grad_()
p = torch.rand(4, 6); c = torch.rand(6); t = torch.tensor([0, 1, 2, 3])
zeros, ones = torch.zeros(4), torch.ones(4)
"""

# Values, graphs and gradients.
CALLS = """
F.one_hot(t); F.one_hot(t, 6); F.one_hot(t.reshape(2, 2), num_classes=4); F.one_hot(t[2], 3); F.one_hot(t[:0], 3)
F.linear(x, A, a); F.linear(x, A); F.linear(v, A, a); F.linear(v, A); F.linear(im, torch.randn(3,8).requires_grad_(), torch.randn(3).requires_grad_())
F.linear(sq.mT, torch.randn(3,4).requires_grad_(), torch.randn(3).requires_grad_()); F.linear(x, v); F.linear(sq, torch.randn(3,8)); F.linear(v, v)
F.embedding(t, x.T); F.embedding(t[:2], x, padding_idx=1); F.embedding(torch.tensor([[0,0],[3,0]]), x, scale_grad_by_freq=True); F.embedding(t, x, padding_idx=-1); F.embedding(t.int(), x)
F.conv2d(im, w, b); F.conv2d(im, w); F.conv2d(im[0], w, b); F.conv2d(im, w, b, padding='same'); F.conv2d(im, w[..., :2], b, padding='same'); F.conv2d(im, w, b, padding='valid')
F.conv2d(im, w, b, 2, 1); F.conv2d(im, w, b, (2,1), (0,2), (1,2)); F.conv2d(im, w[:, :2], b, groups=2); F.conv2d(im, w[:4, :1], padding=1, groups=4); F.conv2d(im, w[..., :1, :1]); F.conv2d(im[:1], w[..., :1, :1], b)
F.conv2d(im, w[..., :1, :1], stride=2); F.conv2d(im.detach(), w, b); F.conv2d(im, w.detach(), b); F.conv2d(im, w.detach(), stride=3); F.conv2d(im, w, b.detach())
F.conv1d(sq, w1, b); F.conv1d(sq[0], w1, b); F.conv1d(sq, w1, b, padding='same'); F.conv1d(sq, w1[..., :2], b, padding='same', dilation=3); F.conv1d(sq, w1, stride=2, padding=1); torch.conv2d(im, w)
F.max_pool2d(im, 2); F.max_pool2d(im, 3, 2, 1); F.max_pool2d(im, 3, 1, 1, 2); F.max_pool2d(im, 3, 3, 1, ceil_mode=True); F.max_pool2d(im, (1,2), return_indices=True); F.max_pool2d(im[0], 2)
F.max_pool2d(torch.ones(1,1,4,4,requires_grad=True), 3, 1, 1, return_indices=True); F.max_pool2d(im, 3, 2, 1, return_indices=True); F.max_pool1d(sq, 3, 1, 1); F.max_pool1d(sq, 2, return_indices=True); F.max_pool1d(sq[0], 2)
F.max_pool2d(torch.arange(16).reshape(1,1,4,4), 2); F.max_pool2d(torch.tensor([[[1., float('nan')], [0., 2.]]]), 2)
F.avg_pool2d(im, 2); F.avg_pool2d(im, 3, 2, 1); F.avg_pool2d(im, 3, 2, 1, count_include_pad=False); F.avg_pool2d(im, 3, 2, 1, True); F.avg_pool2d(im, 2, divisor_override=3); F.avg_pool2d(im, 2, 3); F.avg_pool2d(im[0], 2); F.avg_pool1d(sq, 3, 2, 1); F.avg_pool1d(sq[0], 2)
F.avg_pool2d(torch.tensor([[[1., float('inf'), 1., 2.]]]), (1, 2)); F.adaptive_avg_pool2d(im, 3); F.adaptive_avg_pool2d(im, 1); F.adaptive_avg_pool2d(im, (None, 5)); F.adaptive_avg_pool2d(im[0], (2, 3)); F.adaptive_avg_pool1d(sq, 3); F.adaptive_avg_pool1d(sq, 1); F.adaptive_avg_pool2d(im, 16)
F.batch_norm(im, zeros, ones, c4, c4*1, True); F.batch_norm(im, None, None, c4, c4*1, True); F.batch_norm(im, zeros, ones, c4, c4*1); F.batch_norm(im, zeros, ones); F.batch_norm(x, None, None, v, b, True); F.batch_norm(sq, zeros, ones, c4, None, True, 0.3, 0.1); F.batch_norm(sq, zeros, ones, None, c4, True)
F.batch_norm(im + 100, zeros, ones, c4, c4*1, True); F.batch_norm(torch.zeros(0, 4, 2, requires_grad=True), zeros, ones, c4, c4*1); F.batch_norm(im.detach(), zeros, ones, c4, c4*1, True); F.batch_norm(im, zeros, ones, training=True, momentum=1.)
F.layer_norm(x, (6,), v, b); F.layer_norm(x, (6,)); F.layer_norm(im, (8, 8)); F.layer_norm(im, (4, 8, 8), eps=0.5); F.layer_norm(x, [6], v); torch.layer_norm(x, (6,))
F.group_norm(im, 2, c4, c4*1); F.group_norm(im, 4); F.group_norm(im, 1, c4); F.group_norm(x, 3); torch.group_norm(im, 2)
F.rms_norm(x, (6,), v); F.rms_norm(x, (6,)); F.rms_norm(im, (8, 8), eps=1e-3); F.normalize(x); F.normalize(x, p=1, dim=0); F.normalize(im, dim=-1); F.normalize(x*0)
F.pad(x, (1,2)); F.pad(x, (1,2), value=3.); F.pad(x, (-1,2,1,1)); F.pad(x, (-1,-2)); F.pad(x, (0,0)); F.pad(t, (1,1), value=1.5); F.pad(x, []); F.pad(x.double(), (1, 1, 1, 1))
F.pad(sq, (1,2), 'reflect'); F.pad(im, (1,2,3,1), 'reflect'); F.pad(sq[0], (1,2), 'reflect'); F.pad(im, (1,2,1,1), 'replicate'); F.pad(sq, (9,12), 'replicate'); F.pad(im[None], (1,2,1,1,1,0), 'replicate'); F.pad(sq, (1,2), 'circular'); F.pad(im, (1,2,3,0), 'circular'); F.pad(sq[0], (1,2), 'circular'); F.pad(sq, (-1,2), 'circular')
F.unfold(im, 2); F.unfold(im, 3, 2, 1, 2); F.unfold(im[0], (2, 3)); F.unfold(im, 8)
F.dropout(x, .3); F.dropout(x, .3, False); F.dropout(x, 0.); F.dropout(x, 1.); F.dropout(x*1, .3, True, True); F.dropout(x*1, 1., True, True); F.dropout(x.T); F.dropout(im.permute(2,0,3,1)); F.dropout(torch.tensor(2.)); F.dropout(x.double())
F.scaled_dot_product_attention(q, k, u); F.scaled_dot_product_attention(q, k, u, is_causal=True); F.scaled_dot_product_attention(q, k, u, torch.ones(4,4).bool().tril()); F.scaled_dot_product_attention(q, k, u, torch.rand(4,4)); F.scaled_dot_product_attention(q, k, u, p[:, :4].requires_grad_())
F.scaled_dot_product_attention(q, k, u, torch.rand(2,4,4)); F.scaled_dot_product_attention(q, k, u, torch.rand(2,1,4,4)); F.scaled_dot_product_attention(q[0], k[0], u[0], is_causal=True); F.scaled_dot_product_attention(q[0], k[0], u[0], torch.ones(4,4).bool().triu()); F.scaled_dot_product_attention(q[0,0], k[0,0], u[0,0]); F.scaled_dot_product_attention(q, k, u[..., :6])
F.scaled_dot_product_attention(q.detach(), k.detach(), u); F.scaled_dot_product_attention(q.transpose(1,2), k.transpose(1,2), u.transpose(1,2)); F.scaled_dot_product_attention(q, k, u, scale=.5); F.scaled_dot_product_attention(q, k, u, dropout_p=.5); F.scaled_dot_product_attention(q, k, u, torch.zeros(4,4).bool()); F.scaled_dot_product_attention(q[0], k[0], u[0], torch.zeros(4,4).bool())
F.cosine_similarity(x, y); F.cosine_similarity(x, y, 0, 5.); F.cosine_similarity(x, v); F.pairwise_distance(x, y); F.pairwise_distance(x, y, 1., keepdim=True); F.pairwise_distance(x, v, 3.); F.pairwise_distance(v, v)
F.mse_loss(x, p); F.mse_loss(x, y); F.mse_loss(x, p, reduction='none'); F.mse_loss(x, p, reduction='sum'); F.mse_loss(x, p[:1]); F.mse_loss(v, p); F.mse_loss(x, p, weight=p+1); F.mse_loss(x, p.double()); F.mse_loss(x[:, :1], torch.zeros(4))
F.l1_loss(x, p); F.l1_loss(x, y, reduction='none'); F.l1_loss(x, p, reduction='sum'); F.l1_loss(x, p, weight=p+1, reduction='sum'); F.smooth_l1_loss(x, y); F.smooth_l1_loss(x, p, beta=0.); F.smooth_l1_loss(x, p, beta=2., reduction='none'); F.huber_loss(x, y); F.huber_loss(x, p, 'sum', .5); F.huber_loss(x, p, weight=p+1)
F.cross_entropy(x, t); F.cross_entropy(x, t, reduction='none'); F.cross_entropy(x, t, c); F.cross_entropy(x, t, c, ignore_index=1); F.cross_entropy(x, t, label_smoothing=.1); F.cross_entropy(x, t, c, label_smoothing=.1); F.cross_entropy(x, t, c, label_smoothing=.1, reduction='none'); F.cross_entropy(x, t, reduction='sum', label_smoothing=.1, ignore_index=2)
F.cross_entropy(v, t[0]); F.cross_entropy(x, p); F.cross_entropy(x, y); F.cross_entropy(x, p, c); F.cross_entropy(x, p, c, label_smoothing=.2, reduction='sum'); F.cross_entropy(x, p, reduction='none'); F.cross_entropy(v, c); F.cross_entropy(sq, torch.randint(4,(2,8))); F.cross_entropy(im, torch.randint(4,(2,8,8))); F.cross_entropy(im, torch.randint(4,(2,8,8)), label_smoothing=.1); F.cross_entropy(sq, torch.rand(2,4,8))
F.cross_entropy(x, t.to(torch.uint8)); F.cross_entropy(x, torch.full((4,), -100)); F.cross_entropy(x[:0], t[:0]); F.cross_entropy(x.double(), t); F.nll_loss(x, t); F.nll_loss(x, t, c, reduction='sum'); F.nll_loss(sq, torch.randint(4,(2,8)), reduction='none'); F.nll_loss(im, torch.randint(4,(2,8,8)), c[:4]); F.nll_loss(im, torch.randint(4,(2,8,8)), reduction='none')
F.nll_loss(im[None, 0], torch.randint(4,(1,8,8)), ignore_index=0); F.nll_loss(torch.randn(2,4,3,2,2).requires_grad_(), torch.randint(4,(2,3,2,2)), reduction='none'); F.nll_loss(x.log_softmax(1), t)
F.binary_cross_entropy(x.sigmoid(), p); F.binary_cross_entropy(x.sigmoid(), y.sigmoid(), c); F.binary_cross_entropy(x.sigmoid(), p, reduction='none'); F.binary_cross_entropy(torch.tensor([0., 1., 1.], requires_grad=True), torch.tensor([0., 1., 0.]))
F.binary_cross_entropy_with_logits(x, p); F.binary_cross_entropy_with_logits(x, y); F.binary_cross_entropy_with_logits(x*100, p, c, reduction='sum'); F.binary_cross_entropy_with_logits(x, y, pos_weight=c); F.binary_cross_entropy_with_logits(x, p, c, reduction='none', pos_weight=c)
F.kl_div(x, p); F.kl_div(x, p, reduction='batchmean'); F.kl_div(x, y.sigmoid(), reduction='sum'); F.kl_div(x, y, reduction='none', log_target=True); F.kl_div(x, p, reduction='batchmean', log_target=True); F.kl_div(x, p*0, reduction='sum')
F.cosine_embedding_loss(x, y, torch.tensor([1,-1,1,-1])); F.cosine_embedding_loss(v, b, torch.tensor(-1), margin=.2); F.cosine_embedding_loss(x, y, torch.ones(4), reduction='none'); F.triplet_margin_loss(x, y, p); F.triplet_margin_loss(x, y, p, 2., 1, swap=True); F.triplet_margin_loss(x, y, p, reduction='none')
"""

# Texts of errors, and what warns.
ERRORS = """
F.conv2d(im, w[:, :3]); F.conv2d(im, w, a); F.conv2d(x, w); F.conv1d(v, w1); F.conv1d(sq, w1, padding='foo'); F.conv2d(im, w, padding='same', stride=2); F.conv2d(im[..., :2], w); F.conv2d(im[..., :2], w, dilation=2)
F.conv2d(im.double(), w); F.conv2d(im, w.double()); F.conv2d(im, w[:5, :2], groups=2); F.conv2d(im, w[:, :3], groups=2); F.conv2d(im, w, padding=(1,2,3)); F.conv2d(im, w, stride=(1,2,3)); F.conv2d(im, w, stride=0); F.conv2d(im[None], w); F.conv2d(im, w, dilation=0); F.conv2d(im, w, padding=-1); F.conv2d(im, w1)
F.max_pool2d(im, 2, 0); F.max_pool2d(im, 2, dilation=0); F.max_pool2d(im, (2,2,2)); F.max_pool2d(im, 9); F.max_pool2d(x, 2); F.max_pool2d(im, 2, padding=2); F.max_pool1d(sq, 9); F.max_pool1d(sq, 2, 0); F.max_pool1d(sq, 0); F.max_pool1d(sq, 2, padding=2); F.max_pool1d(im, 2)
F.avg_pool2d(im, 9); F.avg_pool2d(im, 2, 0); F.avg_pool1d(v, 2); F.avg_pool1d(sq, 9); F.avg_pool2d(im, 2, padding=2); F.adaptive_avg_pool2d(x, 2); F.adaptive_avg_pool2d(sq, (2,2,2)); F.adaptive_avg_pool1d(v, 2); F.adaptive_avg_pool1d(sq, (2,2)); F.adaptive_avg_pool2d(im, -1)
F.batch_norm(x[:1], None, None, training=True); F.batch_norm(x, None, None); F.batch_norm(x, zeros, ones); F.batch_norm(sq, zeros, ones[:3]); F.batch_norm(sq, zeros, ones, v); F.batch_norm(sq, zeros, ones, c4, v); F.batch_norm(sq, zeros, ones, eps=-1); F.batch_norm(sq, zeros, ones, training=True, eps=0); F.batch_norm(sq, zeros, None); F.batch_norm(sq.double(), zeros, ones)
F.layer_norm(x, (3,)); F.layer_norm(x, ()); F.layer_norm(x, (6,), c4); F.layer_norm(x, (6,), None, c4); F.layer_norm(x, 6); F.layer_norm(x.double(), (6,), v); F.layer_norm(t[None], (4,)); F.group_norm(sq, 3); F.group_norm(sq, 2, v); F.group_norm(sq, 2, c4, v); F.group_norm(x[:1], 6); F.group_norm(v, 2); F.rms_norm(x, (3,)); F.rms_norm(x, (6,), c4)
F.linear(x, w1[0]); F.linear(x, A, c4); F.linear(x.double(), A, a); F.linear(x.double(), A); F.linear(sq, A, a); F.linear(v[:5], A, a); F.embedding(t, x[:3]); F.embedding(x, x); F.embedding(t, x, padding_idx=4); F.embedding(t, v); F.dropout(x, -1.); F.dropout(x, 2)
F.pad(x, (1,2,3)); F.pad(v, (1,2,3,4)); F.pad(v, (-4,-4)); F.pad(x, (1,2), 'foo'); F.pad(v, (1,2), 'reflect'); F.pad(x, (6,2), 'reflect'); F.pad(im, (1,1,8,2), 'reflect'); F.pad(x, (1,1), 'reflect', 2.); F.pad(x, (1,1,1,1), 'reflect'); F.pad(x, (7,1), 'circular')
F.unfold(im, 9); F.unfold(im, 2, stride=0); F.unfold(im, 0); F.unfold(im, 2, padding=-1); F.unfold(im, 2, dilation=0)
F.scaled_dot_product_attention(v, x, x); F.scaled_dot_product_attention(q, k, u.double()); F.scaled_dot_product_attention(q, k, u, torch.ones(4,4), is_causal=True); F.scaled_dot_product_attention(q[0], k[0], u[0], torch.ones(4,3)); F.scaled_dot_product_attention(q, k, u, torch.ones(4,4).long()); F.scaled_dot_product_attention(x, A[:, :5], A)
F.cosine_similarity(x, a); F.cosine_similarity(t, t, 0); F.cosine_similarity(v, v); F.pairwise_distance(x, a); F.mse_loss(x, a); F.mse_loss(x, p, reduction='x'); F.mse_loss(t, t); F.mse_loss(x, p, weight=c); F.l1_loss(t, t); F.l1_loss(x, a); F.smooth_l1_loss(x, p, beta=-1.); F.huber_loss(x, p, delta=0.)
F.one_hot(t, 2); F.one_hot(t - 1); F.one_hot(x); F.one_hot(t.int()); F.one_hot(t[:0]); F.one_hot(t, 0); F.one_hot(t, -2)
F.cross_entropy(x, t[:2]); F.cross_entropy(x[:, :3], t); F.cross_entropy(x, t-1); F.cross_entropy(x, torch.rand(4)); F.cross_entropy(x, t.int()); F.cross_entropy(x, p[:, :4]); F.cross_entropy(x, t[:, None]); F.cross_entropy(x, t, c4); F.cross_entropy(x, t, label_smoothing=2.); F.cross_entropy(x, p, ignore_index=2); F.cross_entropy(x, p, c4); F.cross_entropy(sq, t[:2]); F.cross_entropy(v, t); F.cross_entropy(t, t); F.cross_entropy(x, t, reduction='x')
F.nll_loss(x, torch.rand(4)); F.nll_loss(x[:, :3], t); F.nll_loss(sq, t[:2, None]); F.nll_loss(im, torch.zeros(2,8,7).long()); F.nll_loss(im, torch.full((2,8,8), 7)); F.nll_loss(x, t, c4); F.nll_loss(x.sum(), t)
F.binary_cross_entropy(x+9, p); F.binary_cross_entropy(v, a); F.binary_cross_entropy(p[0, :4], t); F.binary_cross_entropy_with_logits(v, a); F.binary_cross_entropy_with_logits(c4, t); F.kl_div(c4, t, reduction='sum'); F.kl_div(x, a, reduction='sum')
F.cosine_embedding_loss(x, y, p); F.cosine_embedding_loss(x, y[:, :5], t); F.cosine_embedding_loss(v, v, t[:1]); F.normalize(t[None]); F.triplet_margin_loss(x, y, v); F.triplet_margin_loss(x, y, p, margin=0.)
"""

# What a node has saved must not change before backward.
STATEMENTS = """
z = im*1; r = F.conv2d(z, w); z.add_(1); r.sum().backward()
z = w*1; r = F.conv2d(im, z); z.add_(1); r.sum().backward()
z = im*1; r = F.conv2d(z, w.detach()); z.sum().backward()
z = im*1; r = F.max_pool2d(z, 2); z.add_(1); r.sum().backward()
z = im*1; r = F.avg_pool2d(z, 2); z.add_(1); r.sum().backward()
z = im*1; r = F.batch_norm(z, zeros, ones, training=True); z.add_(1); r.sum().backward()
z = x*1; r = F.layer_norm(z, (6,)); z.add_(1); r.sum().backward()
z = x*1; r = F.mse_loss(z, p); z.add_(1); r.backward()
z = x*1; r = F.pad(z, (1, 1)); z.add_(1); r.sum().backward()
z = x*1; r = F.unfold(im*1, 2); r.sum().backward()
r = F.conv2d(im, w).relu().sum(); r.backward(); r.backward()
r = F.batch_norm(im, zeros, ones, c4, None, True).sum(); r.backward(retain_graph=True); r.backward()
F.batch_norm(im, zeros, ones, training=True); F.batch_norm(im, zeros, ones, training=True); r = F.batch_norm(im, zeros, ones); n = zeros._version
r = F.cross_entropy(F.linear(F.max_pool2d(F.conv2d(im, w, b).relu(), 2).flatten(1), torch.randn(6, 54).requires_grad_()), t[:2]); r.backward()
"""


def check(code: str) -> None:
    assert_twins(code.replace("F.", "torch.nn.functional."))


def each(lines: str) -> list[str]:
    return [e.strip() for line in lines.split("\n") for e in line.split(";") if e.strip()]


@pytest.mark.parametrize("call", each(CALLS))
def test_call(call: str) -> None:
    # In float64: torch's float32 convolutions round more than the comparison allows.
    lines = f"r = {call}; s = r[0] if isinstance(r, tuple) else r; s = s * s.detach().cos()"
    code = START + lines + "\nif s.requires_grad: s.sum().backward()"
    check(
        "torch.set_default_dtype(torch.float64)\ntry:"
        + code.replace("\n", "\n    ")
        + "\nfinally: torch.set_default_dtype(torch.float32)"
    )


@pytest.mark.parametrize("call", each(ERRORS))
def test_error(call: str) -> None:
    check(START + call)


@pytest.mark.parametrize("statement", [line for line in STATEMENTS.split("\n") if line])
def test_statement(statement: str) -> None:
    check(START + statement)
