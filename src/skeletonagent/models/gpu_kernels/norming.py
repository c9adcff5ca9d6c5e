"""Kernels of a norm's vectors: scale and shift from the measures of tiles, and their gradients."""

# Triton has no types, and reads the source of its functions.
# mypy: disable-error-code="import-untyped, no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def norm_kernel(
    tile_mean, tile_squares, weight, bias, skipped_bias, running_mean, running_var, vectors,
    bodies, momentum, eps,
    D: tl.constexpr, P: tl.constexpr, TILE: tl.constexpr, TRACKED: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Write scale, shift, mean and inverse deviation of a channel; move its running statistics.

    A tile has TILE positions of a body's P, the last of a body has what is left.
    """
    d = tl.program_id(0)
    tiles: tl.constexpr = (P + TILE - 1) // TILE
    total_tiles = bodies * tiles
    summed = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, total_tiles, BLOCK):
        i = start + tl.arange(0, BLOCK)
        count = tl.where(i % tiles == tiles - 1, P - (tiles - 1) * TILE, TILE).to(tl.float32)
        summed += count * tl.load(tile_mean + d * total_tiles + i, i < total_tiles, other=0.0)
    size = bodies * (P * 1.0)
    mean = tl.sum(summed) / size
    squares = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, total_tiles, BLOCK):
        i = start + tl.arange(0, BLOCK)
        count = tl.where(i % tiles == tiles - 1, P - (tiles - 1) * TILE, TILE).to(tl.float32)
        inside = i < total_tiles
        apart = tl.load(tile_mean + d * total_tiles + i, inside, other=0.0) - mean
        within = tl.load(tile_squares + d * total_tiles + i, inside, other=0.0)
        squares += tl.where(inside, within + count * apart * apart, 0.0)
    variance = tl.sum(squares) / size
    if TRACKED:
        skipped = tl.load(skipped_bias + d) if skipped_bias is not None else 0.0
        before, spread = tl.load(running_mean + d), tl.load(running_var + d)
        unbiased = variance * size / tl.maximum(size - 1.0, 1.0)
        tl.store(running_mean + d, before + momentum * (mean + skipped - before))
        tl.store(running_var + d, spread + momentum * (unbiased - spread))
    inverse = 1.0 / tl.sqrt(variance + eps)
    scale = tl.load(weight + d) * inverse
    tl.store(vectors + d, scale)
    tl.store(vectors + D + d, tl.load(bias + d) - mean * scale)
    tl.store(vectors + 2 * D + d, mean)
    tl.store(vectors + 3 * D + d, inverse)


@triton.jit
def norm_gradient_kernel(
    grad_scale, grad_shift, vectors, gradients, bodies,
    D: tl.constexpr, P: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the gradients of weight and bias, and constant and slope of that of the map."""
    d = tl.arange(0, BLOCK)
    inside = d < D
    of_scale = tl.load(grad_scale + d, inside, other=0.0)
    of_shift = tl.load(grad_shift + d, inside, other=0.0)
    scale = tl.load(vectors + d, inside, other=0.0)
    mean = tl.load(vectors + 2 * D + d, inside, other=0.0)
    inverse = tl.load(vectors + 3 * D + d, inside, other=0.0)
    of_weight = inverse * (of_scale - mean * of_shift)
    size = bodies * (P * 1.0)
    slope = -scale * inverse * of_weight / size
    tl.store(gradients + d, of_weight, inside)
    tl.store(gradients + D + d, of_shift, inside)
    tl.store(gradients + 2 * D + d, -scale * of_shift / size - slope * mean, inside)
    tl.store(gradients + 3 * D + d, slope, inside)
