"""Register tiles: the matrix products of the training kernels, written as LLVM vectors.

One micro-kernel serves the three products of a layer (B rows of a batch, n_in inputs, n_out
outputs)::

    forward          out[b, o] = bias[o] + Σ_i h[b, i] W[i, o]       then the ReLU
    data gradient    dh[b, i]  = Σ_o dout[b, o] Wᵀ[o, i]             then the mask h > 0
    weight gradient  dW[i, o]  = Σ_b h[b, i] dout[b, o]

All have the form  C[m, :] = first + Σ_s A(m, s) · row_s,  where A(m, s) is a scalar found at ``m *
a_row + s * a_step`` and row_s a row of vectors. A tile keeps ROWS × VECTORS accumulators in
registers over the whole sum. LLVM's own vectorisation of the same loop reached half of this speed.
The order of a sum is the order of s, always: bits depend neither on the tile's position nor on the
number of threads."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fracsim.kernels.vectors import VECTOR_BYTES

PLAIN, RELU, MASK = range(3)
"""What a product does to its sum before it is stored: nothing; clip at 0; zero where ``mask`` is
not positive."""

PRODUCT, ROW_SUM = range(2)
"""Kinds of a tile. ROW_SUM has one row of C: its accumulators take the terms s = m, m + ROWS, … and
are added in pairs."""


def plain_tile(
    a,
    a0,
    a_row,
    a_step,
    rows,
    rows0,
    rows_row,
    rows_step,
    count,
    resume,
    first,
    first0,
    mask,
    mask0,
    mask_row,
    c,
    c0,
    c_row,
    mode,
    kind,
    n_rows,
    n_vectors,
):
    """What ``tile`` does, in NumPy: its reference, and what runs when the JIT is off.

    C tile of ``n_rows × n_vectors`` vectors at ``c[c0]``; all arrays flat, offsets in elements. The
    sum starts from the row at ``first[first0]`` or, where ``resume`` is not 0, from C itself.
    ``rows_row``, for ROW_SUM, is the distance of neighbouring rows. Overwrites its part of c."""
    width = n_vectors * (VECTOR_BYTES // c.itemsize)
    if kind == ROW_SUM:
        total = np.zeros(width, c.dtype)
        for s in range(count):
            for m in range(n_rows):
                row = rows0 + s * rows_step + m * rows_row
                total += a[a0 + s * a_step + m * a_row] * rows[row : row + width]
        c[c0 : c0 + width] = total
        return
    for m in range(n_rows):
        target = c[c0 + m * c_row : c0 + m * c_row + width]
        total = target.copy() if resume else first[first0 : first0 + width].copy()
        for s in range(count):
            total += (
                a[a0 + m * a_row + s * a_step]
                * rows[rows0 + s * rows_step : rows0 + s * rows_step + width]
            )
        if mode == RELU:
            total[total <= 0] = 0
        elif mode == MASK:
            total[~(mask[mask0 + m * mask_row : mask0 + m * mask_row + width] > 0)] = 0
        target[:] = total


def plain_transpose_block(source, source0, source_row, target, target0, target_row):
    """What ``transpose_block`` does: target block = (source block)ᵀ, one vector wide and high."""
    lanes = VECTOR_BYTES // target.itemsize
    for i in range(lanes):
        for j in range(lanes):
            target[target0 + j * target_row + i] = source[source0 + i * source_row + j]


def plain_move_vector(w, source, target):
    """w[target : target + lanes] = w[source : source + lanes]."""
    lanes = VECTOR_BYTES // w.itemsize
    w[target : target + lanes] = w[source : source + lanes].copy()


def lanes_of(array: Any) -> int:
    """Elements of a vector of the array's (numba) float type."""
    return VECTOR_BYTES * 8 // array.dtype.bitwidth


def _data_pointer(
    context: Any, builder: ir.IRBuilder, array_type: Any, array: Any, offset: Any
) -> Any:
    """Pointer to element ``offset`` of a C-contiguous array."""
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.gep(data, [offset])


@intrinsic(prefer_literal=True)
def _tile(
    typingctx,
    a,
    a0,
    a_row,
    a_step,
    rows,
    rows0,
    rows_row,
    rows_step,
    count,
    resume,
    first,
    first0,
    mask,
    mask0,
    mask_row,
    c,
    c0,
    c_row,
    mode,
    kind,
    n_rows,
    n_vectors,
):
    """``plain_tile`` as vectors. ``kind``, ``n_rows`` and ``n_vectors`` are compile-time constants;
    ``mode`` is not, so that one compiled product serves all."""
    constants = (kind, n_rows, n_vectors)
    if not all(isinstance(constant, types.IntegerLiteral) for constant in constants):
        return None
    kind_, m_, v_ = (constant.literal_value for constant in constants)
    lanes = lanes_of(c)
    place = types.intp
    signature = types.void(
        a,
        place,
        place,
        place,
        rows,
        place,
        place,
        place,
        place,
        place,
        first,
        place,
        mask,
        place,
        place,
        c,
        place,
        place,
        place,
        *constants,
    )

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, _, a_row, a_step, _, _, rows_row, rows_step, count = arguments[:9]
        resume, mask_row, c_row, mode = arguments[9], arguments[14], arguments[17], arguments[18]
        pointers = [
            _data_pointer(context, builder, signature.args[i], arguments[i], arguments[i + 1])
            for i in (0, 4, 10, 12, 15)
        ]
        a_pointer, rows_pointer, first_pointer, mask_pointer, c_pointer = pointers
        scalar = context.get_data_type(signature.args[15].dtype)
        vector, index = ir.VectorType(scalar, lanes), ir.IntType(64)
        align = 4 if isinstance(scalar, ir.FloatType) else 8
        zero = ir.Constant(vector, None)

        def place_of(pointer: Any, offset: Any, v: int) -> Any:
            here = builder.gep(pointer, [builder.add(offset, index(v * lanes))])
            return builder.bitcast(here, vector.as_pointer())

        def load(pointer: Any, offset: Any, v: int) -> Any:
            return builder.load(place_of(pointer, offset, v), align=align)

        def splat(pointer: Any) -> Any:
            one = builder.insert_element(
                ir.Constant(vector, ir.Undefined), builder.load(pointer), index(0)
            )
            lane0 = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), lane0)

        start = [zero] * (m_ * v_)
        if kind_ == PRODUCT:
            with builder.if_else(builder.icmp_signed("!=", resume, index(0))) as (
                is_resumed,
                is_new,
            ):
                with is_resumed:
                    resumed_from = builder.block
                    old = [
                        load(c_pointer, builder.mul(c_row, index(m)), v)
                        for m in range(m_)
                        for v in range(v_)
                    ]
                with is_new:
                    new_from = builder.block
                    fresh = [load(first_pointer, index(0), v) for v in range(v_)] * m_
            start = [builder.phi(vector) for _ in old]
            for begin, resumed, new in zip(start, old, fresh, strict=True):
                begin.add_incoming(resumed, resumed_from)
                begin.add_incoming(new, new_from)

        before = builder.block
        loop, after = builder.append_basic_block("tile.sum"), builder.append_basic_block("tile.end")
        builder.cbranch(builder.icmp_signed(">", count, index(0)), loop, after)

        builder.position_at_end(loop)
        step, sums = builder.phi(index), [builder.phi(vector) for _ in start]
        a_here = builder.gep(a_pointer, [builder.mul(step, a_step)])
        rows_here = builder.mul(step, rows_step)
        vectors = [load(rows_pointer, rows_here, v) for v in range(v_)]
        updated = []
        for m in range(m_):
            if kind_ == ROW_SUM and m > 0:
                own = builder.add(rows_here, builder.mul(rows_row, index(m)))
                vectors = [load(rows_pointer, own, v) for v in range(v_)]
            factor = splat(builder.gep(a_here, [builder.mul(a_row, index(m))]))
            for v in range(v_):
                product = builder.fmul(factor, vectors[v], flags=("contract",))
                updated.append(builder.fadd(sums[m * v_ + v], product, flags=("contract",)))
        following = builder.add(step, index(1))
        for phi, begin, new in zip(
            [step, *sums], [index(0), *start], [following, *updated], strict=True
        ):
            phi.add_incoming(begin, before)
            phi.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

        builder.position_at_end(after)
        totals = [builder.phi(vector) for _ in start]
        for total, begin, new in zip(totals, start, updated, strict=True):
            total.add_incoming(begin, before)
            total.add_incoming(new, loop)

        def store(change: Any) -> None:
            for m in range(len(totals) // v_):
                for v in range(v_):
                    target = place_of(c_pointer, builder.mul(c_row, index(m)), v)
                    builder.store(change(totals[m * v_ + v], m, v), target, align=align)

        def relu(total: Any, m: int, v: int) -> Any:
            # ordered <=: a NaN passes, so that a diverged run shows
            return builder.select(builder.fcmp_ordered("<=", total, zero), zero, total)

        def masked(total: Any, m: int, v: int) -> Any:
            active = builder.fcmp_ordered(
                ">", load(mask_pointer, builder.mul(mask_row, index(m)), v), zero
            )
            return builder.select(active, total, zero)

        def plain(total: Any, m: int, v: int) -> Any:
            return total

        if kind_ == ROW_SUM:
            while len(totals) > v_:
                half = len(totals) // 2
                totals = [
                    builder.fadd(x, y) for x, y in zip(totals[:half], totals[half:], strict=True)
                ]
            store(plain)
        else:
            with builder.if_else(builder.icmp_signed("==", mode, index(PLAIN))) as (
                is_plain,
                is_other,
            ):
                with is_plain:
                    store(plain)
                with (
                    is_other,
                    builder.if_else(builder.icmp_signed("==", mode, index(RELU))) as (
                        is_relu,
                        is_mask,
                    ),
                ):
                    with is_relu:
                        store(relu)
                    with is_mask:
                        store(masked)
        return context.get_dummy_value()

    return signature, codegen


def _interleave(lanes: int, high: bool) -> ir.Constant:
    """Shuffle mask that interleaves the lower (or upper) halves of two vectors."""
    start = lanes // 2 if high else 0
    order = [index for i in range(start, start + lanes // 2) for index in (i, lanes + i)]
    return ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)


@intrinsic
def _transpose_block(typingctx, source, source0, source_row, target, target0, target_row):
    """``plain_transpose_block`` in registers: log2(lanes) rounds of interleaving row i with row i +
    lanes/2."""
    n = lanes_of(target)
    signature = types.void(source, types.intp, types.intp, target, types.intp, types.intp)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        source, source0, source_row, target, target0, target_row = arguments
        scalar = context.get_data_type(signature.args[0].dtype)
        vector, index = ir.VectorType(scalar, n), ir.IntType(64)
        align = 4 if isinstance(scalar, ir.FloatType) else 8
        source_pointer = _data_pointer(context, builder, signature.args[0], source, source0)
        target_pointer = _data_pointer(context, builder, signature.args[3], target, target0)

        def row(pointer: Any, stride: Any, i: int) -> Any:
            return builder.bitcast(
                builder.gep(pointer, [builder.mul(stride, index(i))]), vector.as_pointer()
            )

        block = [builder.load(row(source_pointer, source_row, i), align=align) for i in range(n)]
        for _ in range(n.bit_length() - 1):
            pairs = [(block[i], block[i + n // 2]) for i in range(n // 2)]
            block = [
                builder.shuffle_vector(a, b, _interleave(n, high))
                for a, b in pairs
                for high in (False, True)
            ]
        for i in range(n):
            builder.store(block[i], row(target_pointer, target_row, i), align=align)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _move_vector(typingctx, w, source, target):
    """``plain_move_vector`` as one load and one store."""
    signature = types.void(w, types.intp, types.intp)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        scalar = context.get_data_type(w.dtype)
        vector = ir.VectorType(scalar, lanes_of(w)).as_pointer()
        align = 4 if isinstance(scalar, ir.FloatType) else 8
        source, target = (
            builder.bitcast(
                _data_pointer(context, builder, signature.args[0], arguments[0], place), vector
            )
            for place in arguments[1:]
        )
        builder.store(builder.load(source, align=align), target, align=align)
        return context.get_dummy_value()

    return signature, codegen


_OFF = getattr(config, "DISABLE_JIT", 0)
tile: Any = plain_tile if _OFF else _tile
transpose_block: Any = plain_transpose_block if _OFF else _transpose_block
move_vector: Any = plain_move_vector if _OFF else _move_vector
