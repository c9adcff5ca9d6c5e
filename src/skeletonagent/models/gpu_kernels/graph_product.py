"""Graph product kernels that make the adapted graph of each body and channel for themselves.

The graph of body ``b`` and channel ``d`` is ``shared[b, k] + alpha tanh(s_v - t_w)`` with what
attention gives joint ``v`` as a source and joint ``w`` as a target; ``k`` is the graph that the
channel belongs to. It is neither written nor read, and neither is its gradient.
"""

# Triton has no types, and reads the source of its functions.
# mypy: disable-error-code="import-untyped, no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

TILE_FRAMES = 64
"""Frames of a tile."""


@triton.jit
def hyperbolic_tangent(x):
    """Return tanh, to the accuracy of single precision."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def graph_product_kernel(
    x, scale, shift, shared, attended, alpha, y,
    D: tl.constexpr, T: tl.constexpr, V: tl.constexpr, GRAPHS: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_V: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write a channel of a body, normed, rectified and gathered along its graph."""
    kind: tl.constexpr = y.dtype.element_ty
    d, body = tl.program_id(0), tl.program_id(1)
    v, w = tl.arange(0, BLOCK_V), tl.arange(0, BLOCK_V)
    both = (v[:, None] < V) & (w[None, :] < V)
    k = d // (D // GRAPHS)
    source = tl.load(attended + (body * 2 * D + d) * V + v, v < V, other=0.0).to(tl.float32)
    target = tl.load(attended + (body * 2 * D + D + d) * V + w, w < V, other=0.0).to(tl.float32)
    common = shared + (body * GRAPHS + k) * V * V + v[:, None] * V + w[None, :]
    graph = tl.load(common, both, other=0.0).to(tl.float32)
    gate = tl.load(alpha).to(tl.float32)
    graph += gate * hyperbolic_tangent(source[:, None] - target[None, :])
    factor, offset = tl.load(scale + d), tl.load(shift + d)
    place = (body.to(tl.int64) * D + d) * T * V
    for start in range(0, T, BLOCK_T):
        t = start + tl.arange(0, BLOCK_T)
        where = place + t[:, None] * V + v[None, :]
        inside = (t[:, None] < T) & (v[None, :] < V)
        values = tl.load(x + where, inside, other=0.0)
        values = tl.maximum(values.to(tl.float32) * factor + offset, 0.0)
        values = tl.where(inside, values, 0.0).to(kind)
        gathered = tl.dot(values, graph.to(kind), input_precision=PRECISION)
        tl.store(y + where, gathered, inside)


@triton.jit
def graph_product_gradient_kernel(
    grad_y, x, scale, shift, shared, attended, alpha,
    grad_x, grad_shared, grad_attended, body_sums,
    D: tl.constexpr, T: tl.constexpr, V: tl.constexpr, GRAPHS: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_V: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write the gradients of a graph's channels of a body, and those of what the graph is of."""
    kind: tl.constexpr = grad_x.dtype.element_ty
    k, body = tl.program_id(0), tl.program_id(1)
    bodies = tl.num_programs(1)
    v, w = tl.arange(0, BLOCK_V), tl.arange(0, BLOCK_V)
    both = (v[:, None] < V) & (w[None, :] < V)
    square = (body * GRAPHS + k) * V * V + v[:, None] * V + w[None, :]
    common = tl.load(shared + square, both, other=0.0).to(tl.float32)
    gate = tl.load(alpha).to(tl.float32)
    grad_common = tl.zeros((BLOCK_V, BLOCK_V), tl.float32)
    for member in range(D // GRAPHS):
        d = k * (D // GRAPHS) + member
        sources = (body * 2 * D + d) * V
        targets = (body * 2 * D + D + d) * V
        source = tl.load(attended + sources + v, v < V, other=0.0).to(tl.float32)
        target = tl.load(attended + targets + w, w < V, other=0.0).to(tl.float32)
        bend = hyperbolic_tangent(source[:, None] - target[None, :])
        graph = tl.where(both, common + gate * bend, 0.0)
        factor, offset = tl.load(scale + d), tl.load(shift + d)
        grad_graph = tl.zeros((BLOCK_V, BLOCK_V), tl.float32)
        of_scale = tl.zeros((BLOCK_T, BLOCK_V), tl.float32)
        of_shift = tl.zeros((BLOCK_T, BLOCK_V), tl.float32)
        place = (body.to(tl.int64) * D + d) * T * V
        for start in range(0, T, BLOCK_T):
            t = start + tl.arange(0, BLOCK_T)
            where = place + t[:, None] * V + v[None, :]
            inside = (t[:, None] < T) & (v[None, :] < V)
            grad = tl.load(grad_y + where, inside, other=0.0)
            raw = tl.load(x + where, inside, other=0.0).to(tl.float32)
            normed = raw * factor + offset
            values = tl.where(inside, tl.maximum(normed, 0.0), 0.0).to(kind)
            grad_graph = tl.dot(tl.trans(values), grad, grad_graph, input_precision=PRECISION)
            back = tl.dot(grad, tl.trans(graph.to(kind)), input_precision=PRECISION)
            back = tl.where(inside & (normed > 0), back, 0.0)
            of_scale += back * raw
            of_shift += back
            tl.store(grad_x + where, back * factor, inside)
        grad_common += grad_graph
        bent = grad_graph * gate * (1.0 - bend * bend)
        tl.store(grad_attended + sources + v, tl.sum(bent, axis=1), v < V)
        tl.store(grad_attended + targets + w, -tl.sum(bent, axis=0), w < V)
        tl.store(body_sums + d * bodies + body, tl.sum(of_scale))
        tl.store(body_sums + (D + d) * bodies + body, tl.sum(of_shift))
        tl.store(body_sums + (2 * D + d) * bodies + body, tl.sum(grad_graph * bend))
    tl.store(grad_shared + square, grad_common, both)
