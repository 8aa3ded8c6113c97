"""The sampler: a point of the fractal distribution as a pure function of (seed, purpose, index).

The walk of the design starts in the base and goes down; at each level it becomes a negative with
the curve's probability, else moves to one of the r images. Its choices of images are independent of
where it stops, so the same distribution is drawn inside out, which needs no path to be kept:

    level j                from one uniform and the curve:  Pr[positive] = 1/2,  Pr[negative of
    level j] = P(j+1) - P(j) u in the unit cell     a positive: uniform on the base shrunk by 1 - γ
                           a negative: uniform on the gap (by rejection)
    x = F_{i_1} … F_{i_j} u    with independent, equally likely maps

Where rounding or an image could interfere, every point is checked against level(x) and drawn again,
its level kept, where it lies elsewhere: a negative proposed in an image, or one that rounding moved
over a border. So label and point always agree. Attempt a uses the blocks from a · law.blocks of the
counter.

Points for float32 (``law.rounded``) are rounded to it before they are checked, so that the level,
which float64 decides, is that of the very coordinates a network gets."""

import numpy as np

from fracsim.kernels.jit import formula, inlined, kernel
from fracsim.kernels.points.geometry import CENTRE, Geometry, Law
from fracsim.kernels.points.level import LANES, find_levels, make_work, try_image_lanes
from fracsim.kernels.random.philox import random_words, uniform
from fracsim.kernels.rounding import add, mul

_PATHS_PER_WORD = 2**16  # so that 32 random bits make every path equally likely to 2^-16
_COARSE = (
    2.0**-12
)  # in cells this wide rounding is some 2^-40, and no uniform comes closer to a border than 2^-32


def make_law(
    geometry: Geometry,
    curve: np.ndarray,
    gap: int,
    positive_margin: float,
    negative_margin: float,
    rounded: bool = False,
) -> Law:
    """The Law of P(0..n) = ``curve`` (n + 1,), with the random words that each attempt needs
    counted; ``rounded``: of points in float32."""
    r, d = geometry.offsets.shape
    n = len(curve) - 1
    choices = 1
    while choices < n and r ** (choices + 1) <= _PATHS_PER_WORD:
        choices += 1
    words = 1 + d + -(-n // choices)
    narrowest = float(np.linalg.svd(geometry.matrices, compute_uv=False).min()) ** n
    certain = (
        gap == CENTRE and negative_margin == 0 and narrowest >= _COARSE
    )  # the centre meets no image
    # rounding moves a coordinate by 2^-25 at most; doubled, to be on the safe side
    moved = 2.0**-24 * d**0.5 / narrowest if narrowest else 1.0
    half = 0.5 * (1.0 - geometry.low) * min(1.0 - positive_margin, 1.0 / 3.0)
    curve = np.ascontiguousarray(curve, dtype=np.float64)
    return Law(
        curve,
        n,
        int(gap),
        float(positive_margin),
        float(negative_margin),
        choices,
        -(-words // 4),
        certain,
        bool(rounded),
        moved / (2.0 * half) if certain else 1.0,
    )


def given_level(law: Law, level: int) -> Law:
    """The Law of samples that all have this level; their words decide the rest, as before."""
    curve = np.full(len(law.curve), 2.0)  # above every uniform
    if level < law.fractal_depth:
        curve[: level + 1] = 0.0
    return law._replace(curve=curve)


@formula
def draw_level(curve, u):
    """Level of the uniform u: n (a positive) below P(0) = 1/2, j (a negative) in [P(j), P(j+1))."""
    passed = 0
    for j in range(curve.size):
        passed += u >= curve[np.uint64(j)]  # unsigned: no test for negative indices
    return curve.size - 1 if passed == 0 else passed - 1


@formula
def reach(low, law, positive):
    """Half the side of the cube, about the base's centre, in which a positive or a negative is
    proposed."""
    half = 0.5 * (1.0 - low)
    if positive:
        return half * (1.0 - law.positive_margin)
    inner = 1.0 - law.negative_margin
    if law.gap == CENTRE and inner > 1.0 / 3.0:
        return half * (1.0 / 3.0)
    return half * inner


@formula
def coordinate(low, half, word):
    """A coordinate of the proposal in the unit cell: ``word``, a uniform of (0, 1), brought to the
    centre ± half."""
    return add(0.5 * (low + 1.0), mul(half, add(mul(2.0, word), -1.0)))


@formula
def is_close(law, word):
    """Whether rounding could move a point over a border: its ``word`` puts it that near to one."""
    return (word < law.close) | (word > 1.0 - law.close)


@formula
def to_float32(x):
    """x, rounded to float32, in float64."""
    return np.float64(np.float32(x))


@formula
def enlarged(low, margin):
    """Ends of the base in every coordinate, enlarged by 1 + margin about its centre."""
    beyond = mul(0.5 * (1.0 - low), margin)
    return add(low, -beyond), add(1.0, beyond)


@formula
def fill_words(indices, blocks, purpose, seed, words, count):
    """words[:, lane] = the uniforms of the blocks blocks[lane], blocks[lane] + 1, … of sample
    indices[lane]."""
    for b in range(words.shape[0] // 4):
        for lane in range(count):
            w0, w1, w2, w3 = random_words(indices[lane], purpose, blocks[lane] + b, seed)
            words[4 * b, lane] = uniform(w0)
            words[4 * b + 1, lane] = uniform(w1)
            words[4 * b + 2, lane] = uniform(w2)
            words[4 * b + 3, lane] = uniform(w3)


@formula
def find_gap(matrix, offset, low, margin, u, w, inside, free, count):
    """free (LANES,) = 1.0 where u (d, LANES) lies outside every image enlarged by 1 + margin, else
    0.0."""
    below, above = enlarged(low, margin)
    for lane in range(count):
        free[lane] = 1.0
    for i in range(offset.shape[0]):
        try_image_lanes(matrix, offset, i, below, above, u, w, inside, count)
        for lane in range(count):
            free[lane] *= 1.0 - inside[lane]


@inlined
def _apply_maps(matrix, offset, chosen, u, v, count, d):
    for lane in range(count):
        i = chosen[lane]
        for p in range(d):
            total = offset[i, p]
            for q in range(d):
                total += matrix[i, p, q] * u[q, lane]
            v[p, lane] = total


@formula
def apply_maps(matrix, offset, chosen, u, v, count):
    """v = F_i(u), i = chosen[lane], in each lane; shapes (d, LANES)."""
    d = offset.shape[1]
    if d == 1:  # a literal d unrolls the sums
        _apply_maps(matrix, offset, chosen, u, v, count, 1)
    elif d == 2:
        _apply_maps(matrix, offset, chosen, u, v, count, 2)
    elif d == 3:
        _apply_maps(matrix, offset, chosen, u, v, count, 3)
    else:  # a loop over lanes for each term
        for p in range(d):
            for lane in range(count):
                v[p, lane] = offset[chosen[lane], p] + matrix[chosen[lane], p, 0] * u[0, lane]
            for q in range(1, d):
                for lane in range(count):
                    v[p, lane] += matrix[chosen[lane], p, q] * u[q, lane]


@formula
def descend_lanes(matrix, offset, choices, words, target, chosen, u, v, count):
    """u ← F_{i_1} … F_{i_j} u in each lane, j = target[lane]; overwrites u, v (d, LANES), chosen
    and the words used.

    The maps are the digits, base r, of the uniforms words[1 + d :], each good for ``choices`` of
    them."""
    r, d = offset.shape
    deepest = 0
    for lane in range(count):
        deepest = max(deepest, target[lane])
    for k in range(deepest):
        word = 1 + d + k // choices
        for lane in range(count):
            digits = words[word, lane] * r
            whole = np.floor(digits)
            words[word, lane] = digits - whole
            chosen[lane] = int(whole)
        apply_maps(matrix, offset, chosen, u, v, count)
        for p in range(d):
            for lane in range(count):
                old, new = u[p, lane], v[p, lane]
                u[p, lane] = new if k < target[lane] else old


@kernel
def sample_kernel(geometry, law, seed, purpose, first, x, level, checked):
    """Samples first … first + N - 1 of the stream (seed, purpose): overwrites x (N, d) and level
    (N,), n for positives.

    seed and first are uint64. A row of lanes proposes side by side; those refused try again in the
    next row. ``checked``: True, or None where all levels are certain, of points in float64: another
    type, for which the check is not compiled, half of all."""
    n, d = law.fractal_depth, x.shape[1]
    # taken out of their tuples once: numba counts references at each access
    matrix, offset, low, curve = geometry.matrices, geometry.offsets, geometry.low, law.curve
    inverse_matrix, inverse_offset = geometry.inverse_matrices, geometry.inverse_offsets
    half_positive, half_negative = reach(low, law, True), reach(low, law, False)
    work = make_work(d, n)
    words, u, v, free = (
        np.empty((4 * law.blocks, LANES)),
        np.empty((d, LANES)),
        np.empty((d, LANES)),
        np.empty(LANES),
    )
    rows, blocks, target = (
        np.empty(LANES, np.int64),
        np.empty(LANES, np.int64),
        np.empty(LANES, np.int64),
    )
    chosen, indices = np.empty(LANES, np.int64), np.empty(LANES, np.uint64)
    active, begun = 0, 0
    while True:
        while active < LANES and begun < x.shape[0]:
            rows[active], blocks[active] = begun, 0
            indices[active] = first + np.uint64(begun)
            active, begun = active + 1, begun + 1
        if active == 0:
            return
        fill_words(indices, blocks, purpose, seed, words, active)
        for lane in range(active):
            if blocks[lane] == 0:
                target[lane] = draw_level(curve, words[0, lane])
            blocks[lane] += law.blocks
        close = False
        for q in range(d):
            for lane in range(active):
                half = half_positive if target[lane] == n else half_negative
                u[q, lane] = coordinate(low, half, words[1 + q, lane])
        if checked is not None:  # without a margin the check of the level finds those in an image
            margin = law.negative_margin
            if margin > 0.0:
                find_gap(
                    inverse_matrix, inverse_offset, low, margin, u, v, work.inside, free, active
                )
            if law.certain and law.rounded:
                for q in range(d):
                    for lane in range(active):
                        close |= is_close(law, words[1 + q, lane])
        descend_lanes(matrix, offset, law.choices, words, target, chosen, u, v, active)
        if law.rounded:
            for q in range(d):
                for lane in range(active):
                    u[q, lane] = to_float32(u[q, lane])
        for lane in range(active):
            for q in range(d):
                x[rows[lane], q] = u[q, lane]
            level[rows[lane]] = target[lane]
        if checked is None:
            active = 0
            continue
        if law.certain and not (law.rounded and close):
            active = 0
            continue
        find_levels(inverse_matrix, inverse_offset, low, n, u, active, work)
        again = 0
        for lane in range(active):
            too_near = law.negative_margin > 0.0 and free[lane] == 0.0 and target[lane] < n
            if too_near or work.level[lane] != target[lane]:
                rows[again], blocks[again], target[again] = rows[lane], blocks[lane], target[lane]
                indices[again] = indices[lane]
                again += 1
        active = again


def sample(
    geometry: Geometry, law: Law, seed: int, purpose: int, first: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (count, d) float64, y (count,) int8 of ±1, level (count,) int16 of samples first … first +
    count - 1."""
    x, level = np.empty((count, geometry.offsets.shape[1])), np.empty(count, dtype=np.int16)
    checked = None if law.certain and not law.rounded else True
    sample_kernel(geometry, law, np.uint64(seed), purpose, np.uint64(first), x, level, checked)
    y = np.where(level == law.fractal_depth, np.int8(1), np.int8(-1))
    return x, y, level
