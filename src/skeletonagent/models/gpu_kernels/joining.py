"""Kernels of single elements: a norm's map with its shortcut, rectified.

A row is a channel of a body, of ROWS frames of COLUMNS joints; where no mean over the joints is
asked for, it is taken as one frame, whose elements lie side by side.
"""

# Triton has no types, and reads the source of its functions.
# mypy: disable-error-code="import-untyped, no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

NO_SHORTCUT, IDENTITY, NORMED_SHORTCUT = 0, 1, 2


@triton.jit
def join_kernel(
    x, scale, shift, other, other_scale, other_shift, y,
    C: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, KIND: tl.constexpr,
    BODY: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write a row of ``relu(norm(x) + shortcut)``, with the mean of the joints as one more."""
    c, body = tl.program_id(0), tl.program_id(1)
    factor, offset = tl.load(scale + c), tl.load(shift + c)
    if KIND == 2:
        other_factor, other_offset = tl.load(other_scale + c), tl.load(other_shift + c)
    row = body.to(tl.int64) * C + c
    column = tl.arange(0, BLOCK_C)
    wide: tl.constexpr = COLUMNS + 1 if BODY else COLUMNS
    for start in range(0, ROWS, BLOCK_R):
        r = start + tl.arange(0, BLOCK_R)
        inside = (r[:, None] < ROWS) & (column[None, :] < COLUMNS)
        where = row * ROWS * COLUMNS + r[:, None] * COLUMNS + column[None, :]
        values = tl.load(x + where, inside, other=0.0)
        values = values.to(tl.float32) * factor + offset
        if KIND == 1:
            values += tl.load(other + where, inside, other=0.0).to(tl.float32)
        if KIND == 2:
            beside = tl.load(other + where, inside, other=0.0).to(tl.float32)
            values += beside * other_factor + other_offset
        values = tl.where(inside, tl.maximum(values, 0.0), 0.0)
        place = row * ROWS * wide + r[:, None] * wide + column[None, :]
        tl.store(y + place, values, inside)
        if BODY:
            mean = tl.sum(values, axis=1) / COLUMNS
            tl.store(y + row * ROWS * wide + r * wide + COLUMNS, mean, r < ROWS)


@triton.jit
def join_gradient_kernel(
    grad_y, y, x, scale, shift, other, other_scale, other_shift, grad_x, grad_other, body_sums,
    C: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, KIND: tl.constexpr,
    BODY: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write a row of the gradients, and its sums for scale and shift."""
    c, body = tl.program_id(0), tl.program_id(1)
    factor, offset = tl.load(scale + c), tl.load(shift + c)
    if KIND == 2:
        other_factor, other_offset = tl.load(other_scale + c), tl.load(other_shift + c)
    row = body.to(tl.int64) * C + c
    column = tl.arange(0, BLOCK_C)
    wide: tl.constexpr = COLUMNS + 1 if BODY else COLUMNS
    of_scale = tl.zeros((BLOCK_R, BLOCK_C), tl.float32)
    of_shift = tl.zeros((BLOCK_R, BLOCK_C), tl.float32)
    of_other = tl.zeros((BLOCK_R, BLOCK_C), tl.float32)
    for start in range(0, ROWS, BLOCK_R):
        r = start + tl.arange(0, BLOCK_R)
        inside = (r[:, None] < ROWS) & (column[None, :] < COLUMNS)
        where = row * ROWS * COLUMNS + r[:, None] * COLUMNS + column[None, :]
        place = row * ROWS * wide + r[:, None] * wide + column[None, :]
        grad = tl.load(grad_y + place, inside, other=0.0)
        grad = grad.to(tl.float32)
        if BODY:
            mean = tl.load(grad_y + row * ROWS * wide + r * wide + COLUMNS, r < ROWS, other=0.0)
            grad += mean.to(tl.float32)[:, None] / COLUMNS
        values = tl.load(x + where, inside, other=0.0).to(tl.float32)
        if KIND == 1:
            rectified = tl.load(y + place, inside, other=0.0).to(tl.float32)
        else:
            rectified = values * factor + offset
        if KIND == 2:
            beside = tl.load(other + where, inside, other=0.0).to(tl.float32)
            rectified += beside * other_factor + other_offset
        grad = tl.where(inside & (rectified > 0), grad, 0.0)
        of_scale += grad * values
        of_shift += grad
        tl.store(grad_x + where, grad * factor, inside)
        if KIND == 1:
            tl.store(grad_other + where, grad, inside)
        if KIND == 2:
            of_other += grad * beside
            tl.store(grad_other + where, grad * other_factor, inside)
    bodies = tl.num_programs(1)
    tl.store(body_sums + c * bodies + body, tl.sum(of_scale))
    tl.store(body_sums + (C + c) * bodies + body, tl.sum(of_shift))
    if KIND == 2:
        tl.store(body_sums + (2 * C + c) * bodies + body, tl.sum(of_other))
