"""Matrix products by one block of threads, on the card: C[i, j] = Σ_s A(i, s) B(j, s).

The block's threads form a rectangle of ``rows`` × ``columns``; each sums a square tile of C, side ×
side, in registers. Eight terms at a time pass through shared memory, twice buffered: while one
panel is summed, the next is on its way. The tile of thread (r, c) holds the rows r + i · rows and
the columns c + j · columns of the block's part of C: neighbours read neighbouring words, so that no
access to shared memory or to the result is in another's way.

Every element of C is one sum in the order of its terms, whatever the tiles, threads and blocks are:
no choice made here changes a bit."""

from typing import Any, NamedTuple

import numpy as np

from fracsim.kernels.cuda.target import WARP, cuda, device

TERMS = 8
"""Terms of a panel."""

TOGETHER = 2
"""Terms whose factors a thread reads before it multiplies, so that it seldom waits for shared
memory."""

PITCH = 108
"""Elements from one term of a panel to the next: eight terms of four columns then lie in different
banks."""

PANEL_PAIR = 2 * TERMS * PITCH
"""Elements of a panel of A and one of B."""

PANELS = 2 * PANEL_PAIR
"""Elements of shared memory that a product needs."""

REGISTERS = 168
"""Of a thread in a kernel that multiplies: as few as do without spills, so that two blocks of 13 x
13 threads share a multiprocessor."""

PLAIN, ADD, RELU, MASK = range(4)
"""What is done with the sums: written, added to what is there, rectified, or zeroed where ``mask``
is not positive."""


class Factor(NamedTuple):
    """A (or B): element (i, s), i < ``size``, lies at i · ``by_index`` + s · ``by_term`` of ``at``,
    a pointer."""

    at: Any
    size: Any
    by_index: Any
    by_term: Any


class Result(NamedTuple):
    """C: element (i, j) lies at i · ``by_row`` + j of ``at``; with MASK its mask at row(i) ·
    ``mask_by_row`` + j of ``mask``, where row(i) is entry i of the list of rows."""

    mode: Any
    at: Any
    by_row: Any
    mask: Any
    mask_by_row: Any


@device
def factor(at, size, by_index, by_term):
    """A Factor in 32-bit numbers: registers are what the products are short of."""
    return Factor(at, np.int32(size), np.int32(by_index), np.int32(by_term))


@device
def result(mode, at, by_row, mask, mask_by_row):
    """A Result in 32-bit numbers."""
    return Result(np.int32(mode), at, np.int32(by_row), mask, np.int32(mask_by_row))


@device
def start_of_loads(factor, first, width, stride):
    """How this thread's elements of the panels of ``factor`` lie: (first element, step to the next,
    first index, step, first term, step, first index that is none).

    A thread takes eight elements of a panel: of eight terms of one index, or, where terms are
    neighbours in memory, of one term of eight indices, ``stride`` apart, so that eight threads read
    eight neighbours. Either way a warp reads whole sectors."""
    thread = cuda.threadIdx.x
    left = factor.size - first
    limit = left if left < width else width  # numba's min is no good on the card
    if factor.by_term == 1:
        i, s = thread >> 3, thread & 7
        at = (first + i) * factor.by_index + s
        return (
            np.int32(at),
            np.int32(stride * factor.by_index),
            np.int32(i),
            stride,
            np.int32(s),
            0,
            np.int32(limit),
        )
    at = (first + thread) * factor.by_index
    return (
        np.int32(at),
        np.int32(factor.by_term),
        np.int32(thread),
        0,
        np.int32(0),
        1,
        np.int32(limit),
    )


@device
def load(factor, places, term, terms, held):
    """Load this thread's eight elements of the panel from ``term`` on; zeros beyond the factor's
    edges."""
    at, step, i, i_step, s, s_step, limit = places
    at += term * factor.by_term
    left = terms - term
    for q in range(TERMS):
        held[q] = 0
        if i + q * i_step < limit and s + q * s_step < left:
            held[q] = factor.at[np.uint64(at + q * step)]


@device
def load_listed(factor, places, term, terms, rows, held):
    """The same where the terms are the rows of a list, and not neighbours in memory."""
    at, _, i, _, _, _, limit = places
    for q in range(TERMS):
        held[q] = 0
        if i < limit and term + q < terms:
            row = int(rows[np.uint64(term + q)])
            held[q] = factor.at[np.uint64(at + row * factor.by_term)]


@device
def put(shared, panel, along, width, stride, held):
    """Write what ``load`` holds into the panel that starts at ``panel`` of shared memory."""
    thread = cuda.threadIdx.x
    if along:
        for q in range(TERMS):
            if (thread >> 3) + q * stride < width:
                shared[np.uint64(panel + (thread & 7) * PITCH + (thread >> 3) + q * stride)] = held[
                    q
                ]
    elif thread < width:
        for q in range(TERMS):
            shared[np.uint64(panel + q * PITCH + thread)] = held[q]


class Block(NamedTuple):
    """A rectangle of ``rows`` × ``columns`` threads, each with a tile of ``side`` × ``side``."""

    side: int
    rows: int
    columns: int

    @property
    def threads(self) -> int:
        """Threads of the block: whole warps."""
        return -(-self.rows * self.columns // WARP) * WARP


BLOCKS = (Block(4, 25, 5), Block(4, 25, 13), Block(8, 13, 13))
"""For narrow, middling and wide layers: 100 rows, the batch of the paper, fit each."""


def make_parts(block: Block) -> Any:
    """The parts of C that one block of a block group takes, each as much as its tiles cover."""
    side, rows, columns = block
    area, pair, stride = side * side, TOGETHER * side, block.threads >> 3
    height, width = side * rows, side * columns

    @device
    def keep(c, a, b, first_row, first_column, sums, rows_of):
        for i in range(side):
            row = first_row + i * rows
            for j in range(side):
                column = first_column + j * columns
                if row < a.size and column < b.size:
                    store(c, row, column, sums[i * side + j], rows_of)

    @device
    def part(shared, a, b, first_a, first_b, terms, rows_of, listed, c):
        thread = cuda.threadIdx.x
        row, column = np.int32(thread // columns), np.int32(thread % columns)
        sums = cuda.local.array(area, shared.dtype)
        left, right = cuda.local.array(pair, shared.dtype), cuda.local.array(pair, shared.dtype)
        held_a, held_b = (
            cuda.local.array(TERMS, shared.dtype),
            cuda.local.array(TERMS, shared.dtype),
        )
        for e in range(area):
            sums[e] = 0
        along_a, along_b = a.by_term == 1 and not listed, b.by_term == 1
        places_a, places_b = (
            start_of_loads(a, first_a, height, stride),
            start_of_loads(b, first_b, width, stride),
        )
        for term in range(-TERMS, terms, TERMS):
            following = term + TERMS
            if following < terms:
                if listed:
                    load_listed(a, places_a, following, terms, rows_of, held_a)
                else:
                    load(a, places_a, following, terms, held_a)
                load(b, places_b, following, terms, held_b)
            if term >= 0 and row < rows:
                panel = ((term >> 3) & 1) * PANEL_PAIR
                for s in range(0, TERMS, TOGETHER):
                    at_a, at_b = panel + s * PITCH + row, panel + (TERMS + s) * PITCH + column
                    for u in range(TOGETHER):
                        for i in range(side):
                            left[u * side + i] = shared[np.uint64(at_a + u * PITCH + i * rows)]
                            right[u * side + i] = shared[np.uint64(at_b + u * PITCH + i * columns)]
                    for u in range(TOGETHER):
                        for i in range(side):
                            for j in range(side):
                                sums[i * side + j] += left[u * side + i] * right[u * side + j]
            if following < terms:
                panel = ((following >> 3) & 1) * PANEL_PAIR
                put(shared, panel, along_a, height, stride, held_a)
                put(shared, panel + TERMS * PITCH, along_b, width, stride, held_b)
            cuda.syncthreads()
        if row < rows:
            keep(c, a, b, first_a + row, first_b + column, sums, rows_of)

    @device
    def parts(blocks, rank, shared, a, b, terms, rows_of, listed, c):
        across = (b.size + width - 1) // width
        number = rank
        while number < across * ((a.size + height - 1) // height):
            down = number // across
            first_a, first_b = np.int32(down * height), np.int32((number - down * across) * width)
            part(shared, a, b, first_a, first_b, terms, rows_of, listed, c)
            number += blocks

    return parts


@device
def store(c, row, column, total, rows_of):
    """Do with one sum what C's mode says."""
    at = np.uint64(row * c.by_row + column)
    if c.mode == RELU:
        total = total - total if total <= 0 else total  # a NaN passes: divergence shows
    elif c.mode == MASK:
        if not c.mask[np.uint64(int(rows_of[np.uint64(row)]) * c.mask_by_row + column)] > 0:
            total = total - total
    elif c.mode == ADD:
        total += c.at[at]
    c.at[at] = total


parts_0, parts_1, parts_2 = (make_parts(block) for block in BLOCKS)


@device
def multiply(tiling, blocks, rank, like, a, b, terms, rows_of, listed, c):
    """C from the factors A and B, over so many terms; ``rows_of``, a pointer, is the list of rows
    as floats.

    ``listed``: the terms are those rows of A. ``like``: any array of the float type. The ``blocks``
    of a group, each of ``BLOCKS[tiling]``, take the parts of C in turn; ``rank`` is this block's
    number. All its threads call it, by ``call_noinline``. Whoever reads C synchronises first."""
    shared = cuda.shared.array(0, like.dtype)
    if tiling == 0:
        parts_0(blocks, rank, shared, a, b, terms, rows_of, listed, c)
    elif tiling == 1:
        parts_1(blocks, rank, shared, a, b, terms, rows_of, listed, c)
    else:
        parts_2(blocks, rank, shared, a, b, terms, rows_of, listed, c)
