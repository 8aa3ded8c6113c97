"""Register tiles: the matrix products of the training kernels, written as LLVM vectors.

One micro-kernel serves the three products of a layer (B rows of a batch, n_in inputs, n_out outputs)::

    forward          out[b, o] = bias[o] + Σ_i h[b, i] W[i, o]       then ReLU
    data gradient    dh[b, i]  = Σ_o dout[b, o] Wᵀ[o, i]             then the mask h > 0
    weight gradient  dW[i, o]  = Σ_b h[b, i] dout[b, o]

All have the form  C[m, :] = Σ_s A(m, s) · row_s,  where A(m, s) is a scalar found at ``m * a_row + s * a_step`` and
row_s a row of vectors. A tile keeps ROWS × VECTORS accumulators in registers over the whole sum. LLVM's own
vectorisation of the same loop reached half of this speed. The order of a sum is the order of s, always: bits depend
neither on the tile's position nor on the number of threads.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fracsim.kernels.jit import kernel

PLAIN, BIAS, BIAS_RELU, MASK, SUM_ROWS = range(5)
"""What happens around the sum: nothing; start from the bias; also clip at 0; zero where ``extra`` is not positive.
SUM_ROWS has one row of C: its accumulators take the terms s = m, m + ROWS, … and are added in pairs at the end."""


def _data_pointer(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any, offset: Any) -> Any:
    """Pointer to element ``offset`` of a C-contiguous array."""
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.gep(data, [offset])


@intrinsic(prefer_literal=True)
def tile(typingctx, a, a0, a_row, a_step, rows, rows0, rows_step, count, extra, extra0, extra_row, c, c0, c_row,
         mode, n_rows, n_vectors, lanes):  # fmt: skip
    """C tile of ``n_rows × (n_vectors · lanes)`` elements at ``c[c0]``; all arrays flat, offsets in elements.

    ``mode``, ``n_rows``, ``n_vectors`` and ``lanes`` are compile-time constants. Overwrites its part of c. ``extra`` is the
    bias (row stride 0), or what MASK looks at; for SUM_ROWS ``extra_row`` is the distance of neighbouring rows.
    """
    constants = (mode, n_rows, n_vectors, lanes)
    if not all(isinstance(constant, types.IntegerLiteral) for constant in constants):
        return None
    mode_, m_, v_, lanes_ = (constant.literal_value for constant in constants)
    signature = types.void(a, types.intp, types.intp, types.intp, rows, types.intp, types.intp, types.intp,
                           extra, types.intp, types.intp, c, types.intp, types.intp, *constants)  # fmt: skip

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        a, a0, a_row, a_step, rows, rows0, rows_step, count, extra, extra0, extra_row, c, c0, c_row = arguments[:14]
        a_type, rows_type, extra_type, c_type = (signature.args[i] for i in (0, 4, 8, 11))
        scalar = context.get_data_type(c_type.dtype)
        vector = ir.VectorType(scalar, lanes_)
        align = 4 if isinstance(scalar, ir.FloatType) else 8
        index = ir.IntType(64)
        a_pointer = _data_pointer(context, builder, a_type, a, a0)
        rows_pointer = _data_pointer(context, builder, rows_type, rows, rows0)
        extra_pointer = _data_pointer(context, builder, extra_type, extra, extra0)
        c_pointer = _data_pointer(context, builder, c_type, c, c0)
        zero = ir.Constant(vector, None)

        def load(pointer: Any, offset: Any, v: int) -> Any:
            here = builder.gep(pointer, [builder.add(offset, ir.Constant(index, v * lanes_))])
            return builder.load(builder.bitcast(here, vector.as_pointer()), align=align)

        def splat(pointer: Any) -> Any:
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), builder.load(pointer), index(0))
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined),
                                          ir.Constant(ir.VectorType(ir.IntType(32), lanes_), None))  # fmt: skip

        if mode_ in (BIAS, BIAS_RELU):
            first = [load(extra_pointer, index(0), v) for v in range(v_)] * m_
        else:
            first = [zero] * (m_ * v_)

        before = builder.block
        loop = builder.append_basic_block("tile.sum")
        after = builder.append_basic_block("tile.store")
        builder.cbranch(builder.icmp_signed(">", count, index(0)), loop, after)

        builder.position_at_end(loop)
        step = builder.phi(index)
        sums = [builder.phi(vector) for _ in first]
        a_here = builder.gep(a_pointer, [builder.mul(step, a_step)])
        rows_here = builder.mul(step, rows_step)
        vectors = [load(rows_pointer, rows_here, v) for v in range(v_)]
        updated = []
        for m in range(m_):
            if mode_ == SUM_ROWS and m > 0:
                own = builder.add(rows_here, builder.mul(extra_row, index(m)))
                vectors = [load(rows_pointer, own, v) for v in range(v_)]
            factor = splat(builder.gep(a_here, [builder.mul(a_row, index(m))]))
            for v in range(v_):
                product = builder.fmul(factor, vectors[v], flags=("contract",))
                updated.append(builder.fadd(sums[m * v_ + v], product, flags=("contract",)))
        following = builder.add(step, index(1))
        for phi, start, new in zip([step, *sums], [index(0), *first], [following, *updated], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

        builder.position_at_end(after)
        for m in range(m_):
            for v in range(v_):
                total = builder.phi(vector)
                total.add_incoming(first[m * v_ + v], before)
                total.add_incoming(updated[m * v_ + v], loop)
                sums[m * v_ + v] = total
        while mode_ == SUM_ROWS and len(sums) > v_:
            half = len(sums) // 2
            sums = [builder.fadd(a, b) for a, b in zip(sums[:half], sums[half:], strict=True)]
        for m in range(len(sums) // v_):
            c_here = builder.mul(c_row, index(m))
            for v in range(v_):
                total = sums[m * v_ + v]
                if mode_ == BIAS_RELU:
                    # ordered <=: a NaN passes, so that a diverged run shows
                    total = builder.select(builder.fcmp_ordered("<=", total, zero), zero, total)
                if mode_ == MASK:
                    active = builder.fcmp_ordered(">", load(extra_pointer, builder.mul(extra_row, index(m)), v), zero)
                    total = builder.select(active, total, zero)
                here = builder.gep(c_pointer, [builder.add(c_here, index(v * lanes_))])
                builder.store(total, builder.bitcast(here, vector.as_pointer()), align=align)
        return context.get_dummy_value()

    return signature, codegen


def _interleave(lanes: int, high: bool) -> ir.Constant:
    """Shuffle mask that interleaves the lower (or upper) halves of two vectors."""
    start = lanes // 2 if high else 0
    order = [index for i in range(start, start + lanes // 2) for index in (i, lanes + i)]
    return ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)


@intrinsic(prefer_literal=True)
def transpose_block(typingctx, source, source0, source_row, target, target0, target_row, lanes):
    """target block = (source block)ᵀ for ``lanes × lanes`` elements; flat arrays, offsets in elements.

    log2(lanes) rounds of interleaving row i with row i + lanes/2 transpose a square block.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    n = lanes.literal_value
    signature = types.void(source, types.intp, types.intp, target, types.intp, types.intp, lanes)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        source, source0, source_row, target, target0, target_row = arguments[:6]
        scalar = context.get_data_type(signature.args[0].dtype)
        vector, index = ir.VectorType(scalar, n), ir.IntType(64)
        align = 4 if isinstance(scalar, ir.FloatType) else 8
        source_pointer = _data_pointer(context, builder, signature.args[0], source, source0)
        target_pointer = _data_pointer(context, builder, signature.args[3], target, target0)

        def row(pointer: Any, stride: Any, i: int) -> Any:
            return builder.bitcast(builder.gep(pointer, [builder.mul(stride, index(i))]), vector.as_pointer())

        block = [builder.load(row(source_pointer, source_row, i), align=align) for i in range(n)]
        for _ in range(n.bit_length() - 1):
            pairs = [(block[i], block[i + n // 2]) for i in range(n // 2)]
            block = [
                builder.shuffle_vector(a, b, _interleave(n, high)) for a, b in pairs for high in (False, True)
            ]
        for i in range(n):
            builder.store(block[i], row(target_pointer, target_row, i), align=align)
        return context.get_dummy_value()

    return signature, codegen
