"""1x1 convolution kernels that norm and rectify what they read, and measure what they write.

A map is ``(bodies, channels, positions)``, a position being a frame of a joint. What a norm and a
rectifier make of a map is never written: whoever reads the map has ``scale`` and ``shift`` of
each channel, and takes ``max(0, scale x + shift)``.
"""

# Triton has no types, and reads the source of its functions.
# mypy: disable-error-code="import-untyped, no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

POSITIONS = 64
"""Positions of a tile."""
CHANNELS = 32
"""Channels that are multiplied at once."""
MOST_OUTPUTS = 128
"""Output channels of a tile at most."""
WEIGHT_SPLITS = 32
"""Parts of a batch whose sums for the gradient of a weight are kept apart, then added."""


@triton.jit
def product_kernel(
    x, scale, shift, weight, y, tile_mean, tile_squares,
    C: tl.constexpr, D: tl.constexpr, P: tl.constexpr, NORMED: tl.constexpr,
    BLOCK_C: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_P: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write a tile of ``weight @ x`` with its mean, and its squares around it, by channel."""
    kind: tl.constexpr = y.dtype.element_ty
    tile, body = tl.program_id(1), tl.program_id(2)
    d = tl.program_id(0) * BLOCK_D + tl.arange(0, BLOCK_D)
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    kept, inside = d < D, p < P
    x += body.to(tl.int64) * C * P
    y += body.to(tl.int64) * D * P
    total = tl.zeros((BLOCK_D, BLOCK_P), tl.float32)
    for start in range(0, C, BLOCK_C):
        c = start + tl.arange(0, BLOCK_C)
        values = tl.load(
            x + c[:, None] * P + p[None, :], (c[:, None] < C) & inside[None, :], other=0.0
        )
        if NORMED:
            factor = tl.load(scale + c, c < C, other=0.0)
            offset = tl.load(shift + c, c < C, other=0.0)
            values = tl.maximum(values.to(tl.float32) * factor[:, None] + offset[:, None], 0.0)
        rows = tl.load(
            weight + d[:, None] * C + c[None, :], kept[:, None] & (c[None, :] < C), other=0.0
        )
        total = tl.dot(rows.to(kind), values.to(kind), total, input_precision=PRECISION)
    rounded = total.to(kind)
    tl.store(y + d[:, None] * P + p[None, :], rounded, kept[:, None] & inside[None, :])
    exact = tl.where(inside[None, :], rounded.to(tl.float32), 0.0)
    mean = tl.sum(exact, axis=1) / tl.minimum(P - tile * BLOCK_P, BLOCK_P)
    centred = tl.where(inside[None, :], exact - mean[:, None], 0.0)
    tiles = tl.num_programs(1) * tl.num_programs(2)
    place = d * tiles + body * tl.num_programs(1) + tile
    tl.store(tile_mean + place, mean, kept)
    tl.store(tile_squares + place, tl.sum(centred * centred, axis=1), kept)


@triton.jit
def product_gradient_kernel(
    grad_y, y, constant, slope, weight, x, scale, shift, kept_grad, pooled_grad, grad_x, tile_sums,
    C: tl.constexpr, D: tl.constexpr, P: tl.constexpr, V: tl.constexpr, NORMED: tl.constexpr,
    MEASURED: tl.constexpr, KEPT: tl.constexpr, POOLED: tl.constexpr,
    BLOCK_C: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_P: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write a tile of the gradient of ``x``; of a normed one also sums for scale and shift."""
    kind: tl.constexpr = grad_x.dtype.element_ty
    tile, body = tl.program_id(1), tl.program_id(2)
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    p = tile * BLOCK_P + tl.arange(0, BLOCK_P)
    outputs, inputs = body.to(tl.int64) * D * P, body.to(tl.int64) * C * P
    total = tl.zeros((BLOCK_C, BLOCK_P), tl.float32)
    for start in range(0, D, BLOCK_D):
        d = start + tl.arange(0, BLOCK_D)
        where = outputs + d[:, None] * P + p[None, :]
        inside = (d[:, None] < D) & (p[None, :] < P)
        grad = tl.load(grad_y + where, inside, other=0.0)
        grad = grad.to(tl.float32) + tl.load(constant + d, d < MEASURED, other=0.0)[:, None]
        measured = tl.load(y + where, inside, other=0.0).to(tl.float32)
        grad += tl.load(slope + d, d < MEASURED, other=0.0)[:, None] * measured
        columns = tl.load(
            weight + d[None, :] * C + c[:, None], (d[None, :] < D) & (c[:, None] < C), other=0.0
        )
        total = tl.dot(columns.to(kind), grad.to(kind), total, input_precision=PRECISION)
    where = inputs + c[:, None] * P + p[None, :]
    inside = (c[:, None] < C) & (p[None, :] < P)
    if KEPT:
        total += tl.load(kept_grad + where, inside, other=0.0).to(tl.float32)
    if POOLED:
        pooled = pooled_grad + (body * C + c[:, None]) * V + (p % V)[None, :]
        total += tl.load(pooled, inside, other=0.0).to(tl.float32) * (V / P)
    if NORMED:
        values = tl.load(x + where, inside, other=0.0).to(tl.float32)
        factor = tl.load(scale + c, c < C, other=0.0)[:, None]
        offset = tl.load(shift + c, c < C, other=0.0)[:, None]
        total = tl.where(inside & (values * factor + offset > 0), total, 0.0)
        tiles = tl.num_programs(1) * tl.num_programs(2)
        place = c * tiles + body * tl.num_programs(1) + tile
        tl.store(tile_sums + place, tl.sum(total * values, axis=1), c < C)
        tl.store(tile_sums + C * tiles + place, tl.sum(total, axis=1), c < C)
        total *= factor
    tl.store(grad_x + where, total, inside)


@triton.jit
def weight_gradient_kernel(
    grad_y, y, constant, slope, x, scale, shift, grad_weight, bodies,
    C: tl.constexpr, D: tl.constexpr, P: tl.constexpr, NORMED: tl.constexpr,
    MEASURED: tl.constexpr,
    BLOCK_C: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_P: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Write what a part of the bodies adds to a tile of the gradient of ``weight``."""
    kind: tl.constexpr = x.dtype.element_ty
    part = tl.program_id(2)
    d = tl.program_id(0) * BLOCK_D + tl.arange(0, BLOCK_D)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    added = tl.load(constant + d, d < MEASURED, other=0.0)[:, None]
    factor = tl.load(slope + d, d < MEASURED, other=0.0)[:, None]
    total = tl.zeros((BLOCK_D, BLOCK_C), tl.float32)
    output_size, input_size = tl.full((), D * P, tl.int64), tl.full((), C * P, tl.int64)
    for body in range(part, bodies, tl.num_programs(2)):
        outputs, inputs = body * output_size, body * input_size
        for start in range(0, P, BLOCK_P):
            p = start + tl.arange(0, BLOCK_P)
            inside = (d[:, None] < D) & (p[None, :] < P)
            where = outputs + d[:, None] * P + p[None, :]
            grad = tl.load(grad_y + where, inside, other=0.0)
            measured = tl.load(y + where, inside, other=0.0).to(tl.float32)
            grad = tl.where(inside, grad.to(tl.float32) + added + factor * measured, 0.0)
            values = tl.load(
                x + inputs + c[:, None] * P + p[None, :],
                (c[:, None] < C) & (p[None, :] < P),
                other=0.0,
            )
            if NORMED:
                gain = tl.load(scale + c, c < C, other=0.0)[:, None]
                offset = tl.load(shift + c, c < C, other=0.0)[:, None]
                values = tl.maximum(values.to(tl.float32) * gain + offset, 0.0)
            total = tl.dot(
                grad.to(kind), tl.trans(values.to(kind)), total, input_precision=PRECISION
            )
    where = (part * D + d[:, None]) * C + c[None, :]
    tl.store(grad_weight + where, total, (d[:, None] < D) & (c[None, :] < C))
