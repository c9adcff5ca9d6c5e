"""Kernels of the branches of a temporal convolution: dilated, pooled and 1x1 ones in one launch.

A channel belongs to a branch: CONVS dilated ones, then the pooled one, which read normed and
rectified channels, then the 1x1 one, whose product is there already. The mean of the joints is one
more joint of the input; the result has the joints alone, each with its share of the mean's.
"""

# Triton has no types, and reads the source of its functions.
# mypy: disable-error-code="import-untyped, no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def branch_range(branch, FIRST: tl.constexpr, NARROW: tl.constexpr):
    """Return the first channel of a branch, and how many it has."""
    start = tl.where(branch == 0, 0, FIRST + (branch - 1) * NARROW)
    return start, tl.where(branch == 0, FIRST, NARROW)


@triton.jit
def weights_before(branch, FIRST: tl.constexpr, NARROW: tl.constexpr):
    """Return the number of weights of the dilated branches before one."""
    return 3 * tl.where(branch == 0, 0, FIRST * FIRST + (branch - 1) * NARROW * NARROW)


@triton.jit
def rectified_tile(
    x, channel, kept, frame, column, factor, offset, FRAMES: tl.constexpr, V: tl.constexpr
):
    """Return normed and rectified values of frames, zeros outside."""
    inside = kept[:, None] & ((frame >= 0) & (frame < FRAMES) & (column <= V))[None, :]
    place = channel[:, None] * (FRAMES * (V + 1)) + (frame * (V + 1) + column)[None, :]
    values = tl.load(x + place, inside, other=0.0).to(tl.float32)
    values = tl.maximum(values * factor[:, None] + offset[:, None], 0.0)
    return tl.where(inside, values, 0.0)


@triton.jit
def winning_share(values, others):
    """Return which share of the gradient of a maximum of two goes to the first, as torch has it."""
    return tl.where(values > others, 1.0, tl.where(values == others, 0.5, 0.0))


@triton.jit
def share_gradient_tile(
    grad_y, y, constant, slope, share, channel, kept, frame, column,
    S: tl.constexpr, V: tl.constexpr, ROWS: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Return the gradient of the branches' joints and of their mean, zeros outside."""
    inside = kept[:, None] & ((frame >= 0) & (frame < S) & (column < V))[None, :]
    place = channel[:, None] * (S * V) + (frame * V + column)[None, :]
    grad = tl.load(grad_y + place, inside, other=0.0).to(tl.float32)
    measured = tl.load(y + place, inside, other=0.0).to(tl.float32)
    grad = tl.where(inside, grad + constant[:, None] + slope[:, None] * measured, 0.0)
    part = tl.load(share + column, column < V, other=0.0)
    rows = tl.reshape(grad * part[None, :], (WIDE, ROWS, BLOCK))
    mean = tl.broadcast_to(tl.sum(rows, axis=2)[:, :, None], (WIDE, ROWS, BLOCK))
    return tl.where((column == V)[None, :], tl.reshape(mean, (WIDE, ROWS * BLOCK)), grad)


@triton.jit
def branches_kernel(
    x, scale, shift, pointwise_bias, weights, biases, share, y, means, tile_mean, tile_squares,
    C: tl.constexpr, FIRST: tl.constexpr, NARROW: tl.constexpr, CONVS: tl.constexpr,
    T: tl.constexpr, S: tl.constexpr, V: tl.constexpr, STRIDE: tl.constexpr,
    ROWS: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write frames of a branch, the mean's share added, and their mean and squares by channel."""
    kind: tl.constexpr = y.dtype.element_ty
    branch, tile, body = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    start, width = branch_range(branch, FIRST, NARROW)
    row, q = tl.arange(0, WIDE), tl.arange(0, ROWS * BLOCK)
    channel, kept = start + row, row < width
    frame, column = tile * ROWS + q // BLOCK, q % BLOCK
    x += body.to(tl.int64) * C * T * (V + 1)
    normed = kept & (branch <= CONVS)
    factor = tl.load(scale + channel, normed, other=0.0)
    offset = tl.load(shift + channel, normed, other=0.0)
    total = tl.zeros((WIDE, ROWS * BLOCK), tl.float32)
    if branch < CONVS:
        base = weights + weights_before(branch, FIRST, NARROW)
        for tap in tl.static_range(3):
            source = frame * STRIDE + (tap - 1) * (branch + 1)
            values = rectified_tile(x, channel, kept, source, column, factor, offset, T, V)
            matrix = tl.load(
                base + (row[:, None] * width + row[None, :]) * 3 + tap,
                kept[:, None] & kept[None, :], other=0.0,
            )  # fmt: skip
            total = tl.dot(matrix.to(kind), values.to(kind), total, input_precision=PRECISION)
        total += tl.load(biases + channel, kept, other=0.0)[:, None]
    elif branch == CONVS:
        for tap in tl.static_range(3):
            source = frame * STRIDE + tap - 1
            values = rectified_tile(x, channel, kept, source, column, factor, offset, T, V)
            total = tl.maximum(total, values)
    else:
        place = channel[:, None] * (T * (V + 1)) + (frame * (STRIDE * (V + 1)) + column)[None, :]
        inside = kept[:, None] & ((frame < S) & (column <= V))[None, :]
        total = tl.load(x + place, inside, other=0.0).to(tl.float32)
        total += tl.load(pointwise_bias + row, kept, other=0.0)[:, None]
    at_mean = tl.reshape(tl.where((column == V)[None, :], total, 0.0), (WIDE, ROWS, BLOCK))
    mean = tl.sum(at_mean, axis=2)
    part = tl.load(share + column, column < V, other=0.0)
    spread = tl.broadcast_to(mean[:, :, None], (WIDE, ROWS, BLOCK))
    total += tl.reshape(spread, (WIDE, ROWS * BLOCK)) * part[None, :]
    rounded = total.to(kind)
    valid = (frame < S) & (column < V)
    rows = (body.to(tl.int64) * C + channel)[:, None]
    tl.store(
        y + rows * (S * V) + (frame * V + column)[None, :], rounded, kept[:, None] & valid[None, :]
    )
    t = tile * ROWS + tl.arange(0, ROWS)
    tl.store(means + rows * S + t[None, :], mean, kept[:, None] & (t < S)[None, :])
    exact = tl.where(valid[None, :], rounded.to(tl.float32), 0.0)
    centre = tl.sum(exact, axis=1) / (tl.minimum(S - tile * ROWS, ROWS) * V)
    centred = tl.where(valid[None, :], exact - centre[:, None], 0.0)
    tiles = tl.num_programs(1) * tl.num_programs(2)
    place = channel * tiles + body * tl.num_programs(1) + tile
    tl.store(tile_mean + place, centre, kept)
    tl.store(tile_squares + place, tl.sum(centred * centred, axis=1), kept)


@triton.jit
def branches_gradient_kernel(
    grad_y, y, constant, slope, share, weights, x, scale, shift, grad_x, tile_sums,
    C: tl.constexpr, FIRST: tl.constexpr, NARROW: tl.constexpr, CONVS: tl.constexpr,
    T: tl.constexpr, S: tl.constexpr, V: tl.constexpr, STRIDE: tl.constexpr,
    ROWS: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write the gradient of frames of a branch's input, and its sums for scale and shift."""
    kind: tl.constexpr = grad_x.dtype.element_ty
    branch, tile, body = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    start, width = branch_range(branch, FIRST, NARROW)
    row, q = tl.arange(0, WIDE), tl.arange(0, ROWS * BLOCK)
    channel, kept = start + row, row < width
    frame, column = tile * ROWS + q // BLOCK, q % BLOCK
    x += body.to(tl.int64) * C * T * (V + 1)
    grad_x += body.to(tl.int64) * C * T * (V + 1)
    grad_y += body.to(tl.int64) * C * S * V
    y += body.to(tl.int64) * C * S * V
    normed = kept & (branch <= CONVS)
    factor = tl.load(scale + channel, normed, other=0.0)
    offset = tl.load(shift + channel, normed, other=0.0)
    added = tl.load(constant + channel, kept, other=0.0)
    bent = tl.load(slope + channel, kept, other=0.0)
    total = tl.zeros((WIDE, ROWS * BLOCK), tl.float32)
    for tap in tl.static_range(3):
        reach = tl.where(branch < CONVS, branch + 1, 1)
        ahead = frame - (tap - 1) * reach
        target = tl.where((ahead >= 0) & (ahead % STRIDE == 0), ahead // STRIDE, -1)
        grad = share_gradient_tile(
            grad_y, y, added, bent, share, channel, kept, target, column, S, V, ROWS, WIDE, BLOCK
        )
        if branch < CONVS:
            base = weights + weights_before(branch, FIRST, NARROW)
            turned = tl.load(
                base + (row[None, :] * width + row[:, None]) * 3 + tap,
                kept[:, None] & kept[None, :], other=0.0,
            )  # fmt: skip
            total = tl.dot(turned.to(kind), grad.to(kind), total, input_precision=PRECISION)
        elif branch == CONVS:
            middle = target * STRIDE
            before = rectified_tile(x, channel, kept, middle - 1, column, factor, offset, T, V)
            now = rectified_tile(x, channel, kept, middle, column, factor, offset, T, V)
            after = rectified_tile(x, channel, kept, middle + 1, column, factor, offset, T, V)
            first = tl.maximum(before, now)
            if tap == 0:
                part = winning_share(before, now) * winning_share(first, after)
            elif tap == 1:
                part = winning_share(now, before) * winning_share(first, after)
            else:
                part = winning_share(after, first)
            total += part * grad
        elif tap == 1:
            total += grad
    place = channel[:, None] * (T * (V + 1)) + (frame * (V + 1) + column)[None, :]
    inside = kept[:, None] & ((frame < T) & (column <= V))[None, :]
    values = tl.load(x + place, inside, other=0.0).to(tl.float32)
    passes = (values * factor[:, None] + offset[:, None] > 0) | (branch > CONVS)
    total = tl.where(inside & passes, total, 0.0)
    tiles = tl.num_programs(1) * tl.num_programs(2)
    spot = channel * tiles + body * tl.num_programs(1) + tile
    tl.store(tile_sums + spot, tl.sum(total * values, axis=1), kept)
    tl.store(tile_sums + C * tiles + spot, tl.sum(total, axis=1), kept)
    total *= tl.where(branch > CONVS, 1.0, factor)[:, None]
    tl.store(grad_x + place, total, inside)


@triton.jit
def branch_weights_kernel(
    grad_y, y, constant, slope, share, x, scale, shift, means,
    grad_weights, grad_biases, grad_share, bodies,
    C: tl.constexpr, FIRST: tl.constexpr, NARROW: tl.constexpr, CONVS: tl.constexpr,
    T: tl.constexpr, S: tl.constexpr, V: tl.constexpr, STRIDE: tl.constexpr, SIZE: tl.constexpr,
    ROWS: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Write what a part of the bodies adds to the gradients of a branch's weights and shares."""
    kind: tl.constexpr = grad_y.dtype.element_ty
    branch, part = tl.program_id(0), tl.program_id(1)
    start, width = branch_range(branch, FIRST, NARROW)
    row, q = tl.arange(0, WIDE), tl.arange(0, ROWS * BLOCK)
    channel, kept, column = start + row, row < width, q % BLOCK
    normed = kept & (branch <= CONVS)
    factor = tl.load(scale + channel, normed, other=0.0)
    offset = tl.load(shift + channel, normed, other=0.0)
    added = tl.load(constant + channel, kept, other=0.0)
    bent = tl.load(slope + channel, kept, other=0.0)
    before = tl.zeros((WIDE, WIDE), tl.float32)
    now = tl.zeros((WIDE, WIDE), tl.float32)
    after = tl.zeros((WIDE, WIDE), tl.float32)
    of_bias = tl.zeros((WIDE,), tl.float32)
    of_share = tl.zeros((BLOCK,), tl.float32)
    input_size = tl.full((), C * T * (V + 1), tl.int64)
    output_size = tl.full((), C * S * V, tl.int64)
    for body in range(part, bodies, tl.num_programs(1)):
        inputs, outputs = x + body * input_size, body * output_size
        for first in range(0, S, ROWS):
            frame = first + q // BLOCK
            grad = share_gradient_tile(
                grad_y + outputs, y + outputs, added, bent, share, channel, kept, frame, column,
                S, V, ROWS, WIDE, BLOCK,
            )  # fmt: skip
            of_bias += tl.sum(grad, axis=1)
            t = first + tl.arange(0, ROWS)
            mean = tl.load(
                means + (body * C + channel)[:, None] * S + t[None, :],
                kept[:, None] & (t < S)[None, :], other=0.0,
            )  # fmt: skip
            joints = tl.reshape(tl.where((column < V)[None, :], grad, 0.0), (WIDE, ROWS, BLOCK))
            of_share += tl.sum(tl.sum(joints * mean[:, :, None], axis=0), axis=0)
            if branch < CONVS:
                middle, reach = frame * STRIDE, branch + 1
                lower = grad.to(kind)
                values = rectified_tile(
                    inputs, channel, kept, middle - reach, column, factor, offset, T, V
                )
                before = tl.dot(lower, tl.trans(values.to(kind)), before, input_precision=PRECISION)
                values = rectified_tile(inputs, channel, kept, middle, column, factor, offset, T, V)
                now = tl.dot(lower, tl.trans(values.to(kind)), now, input_precision=PRECISION)
                values = rectified_tile(
                    inputs, channel, kept, middle + reach, column, factor, offset, T, V
                )
                after = tl.dot(lower, tl.trans(values.to(kind)), after, input_precision=PRECISION)
    base = part * SIZE + weights_before(branch, FIRST, NARROW)
    place = base + (row[:, None] * width + row[None, :]) * 3
    square = kept[:, None] & kept[None, :] & (branch < CONVS)
    tl.store(grad_weights + place, before, square)
    tl.store(grad_weights + place + 1, now, square)
    tl.store(grad_weights + place + 2, after, square)
    tl.store(grad_biases + part * C + channel, of_bias, kept)
    joint = tl.arange(0, BLOCK)
    tl.store(grad_share + (part * (CONVS + 2) + branch) * V + joint, of_share, joint < V)
