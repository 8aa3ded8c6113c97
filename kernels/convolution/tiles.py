"""Register tiles of layers whose images lie across the lanes of vectors.

One element of an activation is a vector: its values for as many images as a vector has lanes. So
every number of channels, 1 or 3 or 17, fills the vectors, and a convolution needs no copy of its
input: which element a weight meets at a pixel is a place of the pixel plus an offset of the weight
(an implicit im2col). Both are looked up in tables of whole numbers, ``at``::

    patch     out[p, m]   = bias[m] + Σ_s weight[s, m] · x[p + offset(s)]     forward, data gradient
    weight    dW[s, n]    = Σ_p  Σ_lanes  x[p + offset(s)] · dout[p, n]       weight gradient

The order of a patch's sum is the order of s, that of a weight's sum the order of p and then, in
halves, of the lanes. A whole layer is such a patch of one pixel. ``largest`` and ``to_largest`` are
the maximum over a square, and its way back."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from fracsim.kernels.network.tiles import MASK, RELU, lanes_of
from fracsim.kernels.vectors import VECTOR_BYTES

INDEX = ir.IntType(64)


def plain_patch(
    w, at, weights, stride, offsets, count, x, x_places, out, out_places, mask, mask_places, bias,
    bias_step, mode, n_out, n_pixels,
):  # fmt: skip
    """What ``patch`` does, in NumPy: its reference, and what runs when the JIT is off.

    ``weights``: place of weight[0, 0], a row of them every ``stride``. ``offsets`` (``count``
    values), ``x_places``, ``out_places`` and ``mask_places`` (``n_pixels`` values): where in ``at``
    they begin; ``x``, ``out`` and ``mask`` are added to them. The sums start from ``bias`` + m ·
    ``bias_step``. ``mode``: PLAIN, RELU, or MASK, 0 where the mask is not positive. Overwrites its
    part of w."""
    lanes = VECTOR_BYTES // w.itemsize
    for p in range(n_pixels):
        source, target = x + at[x_places + p], out + at[out_places + p]
        for m in range(n_out):
            total = np.full(lanes, w[bias + m * bias_step])
            for s in range(count):
                place = source + at[offsets + s]
                total += w[weights + s * stride + m] * w[place : place + lanes]
            here = slice(target + m * lanes, target + (m + 1) * lanes)
            if mode == RELU:
                total[total <= 0] = 0
            elif mode == MASK:
                place = mask + at[mask_places + p] + m * lanes
                total[~(w[place : place + lanes] > 0)] = 0
            w[here] = total


def plain_weight(
    w, at, x, offsets, x_places, dout, dout_places, count, gradient, rows, stride, n_terms, n_out
):
    """What ``weight`` does: adds dW of ``n_terms`` offsets and ``n_out`` outputs to row ``rows`` of
    ``gradient``, over ``count`` pixels."""
    lanes = VECTOR_BYTES // w.itemsize
    for m in range(n_terms):
        for n in range(n_out):
            total = np.zeros(lanes, w.dtype)
            for p in range(count):
                a = x + at[x_places + p] + at[offsets + m]
                b = dout + at[dout_places + p] + n * lanes
                total += w[a : a + lanes] * w[b : b + lanes]
            while len(total) > 1:
                total = total[: len(total) // 2] + total[len(total) // 2 :]
            w[gradient + at[rows + m] * stride + n] += total[0]


def plain_largest(w, at, z, right, down, x):
    """What ``largest`` does: the vector at ``x`` is the largest of four, at ``z``, to its right,
    below, and to the right of that; NaN where one is, so that a diverged run shows."""
    lanes = VECTOR_BYTES // w.itemsize
    four = [w[z + step : z + step + lanes] for step in (0, right, down, down + right)]
    w[x : x + lanes] = np.max(four, axis=0)


def plain_to_largest(w, at, z, right, down, x, dx, dz, dz_right, dz_down):
    """What ``to_largest`` does: the slopes at ``dx`` go, among the four at ``dz``, to the first of
    which Z is the largest, and 0 to the others."""
    lanes = VECTOR_BYTES // w.itemsize
    best, slope = w[x : x + lanes], w[dx : dx + lanes].copy()
    given = np.zeros(lanes, np.bool_)
    for source, target in (
        (0, 0),
        (right, dz_right),
        (down, dz_down),
        (down + right, dz_down + dz_right),
    ):
        here = (w[z + source : z + source + lanes] == best) & ~given
        w[dz + target : dz + target + lanes] = np.where(here, slope, 0)
        given |= here


class _Vectors:
    """What the two tiles share: vectors and whole numbers at places of the arrays."""

    def __init__(self, context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self._w, self._at = (
            context.make_array(signature.args[i])(context, builder, value=arguments[i]).data
            for i in (0, 1)
        )
        self.scalar = context.get_data_type(signature.args[0].dtype)
        self.lanes = lanes_of(signature.args[0])
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.align = 4 if isinstance(self.scalar, ir.FloatType) else 8
        self.zero = ir.Constant(self.vector, None)

    def number(self, place: Any, i: int = 0) -> Any:
        """at[place + i]"""
        pointer = self.builder.gep(self._at, [self.builder.add(place, INDEX(i))])
        return self.builder.load(pointer)

    def pointer(self, place: Any) -> Any:
        """Of element ``place`` of w."""
        return self.builder.gep(self._w, [place])

    def load(self, pointer: Any, v: int = 0) -> Any:
        """The vector that is ``v`` vectors behind a pointer."""
        return self.builder.load(self._vector(pointer, v), align=self.align)

    def store(self, value: Any, pointer: Any, v: int = 0) -> None:
        """Its counterpart."""
        self.builder.store(value, self._vector(pointer, v), align=self.align)

    def _vector(self, pointer: Any, v: int) -> Any:
        here = self.builder.gep(pointer, [INDEX(v * self.lanes)])
        return self.builder.bitcast(here, self.vector.as_pointer())

    def splat(self, pointer: Any, i: int = 0) -> Any:
        """A vector of which all lanes are element ``i`` behind a pointer."""
        value = self.builder.load(self.builder.gep(pointer, [INDEX(i)]))
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, value, INDEX(0))
        lane0 = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.builder.shuffle_vector(one, undefined, lane0)

    def multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        """total + a · b, rounded once"""
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(total, product, flags=("contract",))

    def sums(self, count: Any, start: list[Any], step: Any) -> list[Any]:
        """The values ``start`` after ``count`` times ``step(number, values)``."""
        builder, before = self.builder, self.builder.block
        loop, after = builder.append_basic_block("sum"), builder.append_basic_block("end")
        builder.cbranch(builder.icmp_signed(">", count, INDEX(0)), loop, after)
        builder.position_at_end(loop)
        number, values = builder.phi(INDEX), [builder.phi(self.vector) for _ in start]
        changed = step(number, values)
        following = builder.add(number, INDEX(1))
        last = builder.block
        for phi, begin, new in zip(
            [number, *values], [INDEX(0), *start], [following, *changed], strict=True
        ):
            phi.add_incoming(begin, before)
            phi.add_incoming(new, last)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        totals = [builder.phi(self.vector) for _ in start]
        for total, begin, new in zip(totals, start, changed, strict=True):
            total.add_incoming(begin, before)
            total.add_incoming(new, last)
        return totals

    def sums_of_lanes(self, values: list[Any]) -> Any:
        """Of each of 1, 2 or 4 vectors, at most as many as lanes, the sum of its lanes, in halves;
        all of them as one vector. Vectors that are halved go on together, two in one."""
        parts, held, size = values, 1, self.lanes  # vectors, values in each, lanes of each value
        while size > 1:
            size //= 2
            if len(parts) > 1:
                pairs = zip(parts[::2], parts[1::2], strict=True)
                parts, held = [self._halved(pair, held, size) for pair in pairs], 2 * held
            else:
                parts = [self._halved((parts[0],), held, size)]
        return parts[0]

    def _halved(self, vectors: tuple[Any, ...], held: int, size: int) -> Any:
        """The first ``size`` lanes of each of the ``held`` values in one or two vectors plus the
        last ``size``."""
        second = vectors[-1] if len(vectors) > 1 else ir.Constant(vectors[0].type, ir.Undefined)
        halves = []
        for begin in (0, size):
            starts = [2 * size * value + begin for value in range(held * len(vectors))]
            lanes = [lane for start in starts for lane in range(start, start + size)]
            numbers = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
            halves.append(self.builder.shuffle_vector(vectors[0], second, numbers))
        return self.builder.fadd(*halves)

    def add(self, values: Any, pointer: Any) -> None:
        """Add a vector of any length to what lies behind a pointer."""
        there = self.builder.bitcast(pointer, values.type.as_pointer())
        before = self.builder.load(there, align=self.align)
        self.builder.store(self.builder.fadd(before, values), there, align=self.align)


def _signature(w: Any, at: Any, others: int, constants: Any) -> Any:
    return types.void(w, at, *[types.intp] * others, *constants)


@intrinsic(prefer_literal=True)
def _patch(
    typingctx, w, at, weights, stride, offsets, count, x, x_places, out, out_places, mask,
    mask_places, bias, bias_step, mode, n_out, n_pixels,
):  # fmt: skip
    """``plain_patch`` in registers; ``n_out`` and ``n_pixels`` are compile-time constants."""
    if not all(isinstance(each, types.IntegerLiteral) for each in (n_out, n_pixels)):
        return None
    m_, p_ = n_out.literal_value, n_pixels.literal_value

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        (weights, stride, offsets, count, x, x_places, out, out_places, mask, mask_places, bias,
         bias_step, mode) = arguments[2:15]  # fmt: skip
        on = _Vectors(context, builder, signature, arguments)
        sources = [on.pointer(builder.add(x, on.number(x_places, p))) for p in range(p_)]
        row = on.pointer(weights)
        biases = [
            on.splat(on.pointer(builder.add(bias, builder.mul(bias_step, INDEX(m)))))
            for m in range(m_)
        ]

        def step(s: Any, totals: list[Any]) -> list[Any]:
            offset = on.number(builder.add(offsets, s))
            values = [on.load(builder.gep(source, [offset])) for source in sources]
            here = builder.gep(row, [builder.mul(s, stride)])
            changed = []
            for m in range(m_):
                factor = on.splat(here, m)
                changed += [
                    on.multiply_add(factor, values[p], totals[m * p_ + p]) for p in range(p_)
                ]
            return changed

        totals = on.sums(count, [one for one in biases for _ in range(p_)], step)

        def store(change: Any) -> None:
            for p in range(p_):
                target = on.pointer(builder.add(out, on.number(out_places, p)))
                for m in range(m_):
                    on.store(change(totals[m * p_ + p], p, m), target, m)

        def relu(total: Any, p: int, m: int) -> Any:
            # ordered <=: a NaN passes, so that a diverged run shows
            return builder.select(builder.fcmp_ordered("<=", total, on.zero), on.zero, total)

        def masked(total: Any, p: int, m: int) -> Any:
            place = on.pointer(builder.add(mask, on.number(mask_places, p)))
            active = builder.fcmp_ordered(">", on.load(place, m), on.zero)
            return builder.select(active, total, on.zero)

        is_relu = builder.icmp_signed("==", mode, INDEX(RELU))
        is_mask = builder.icmp_signed("==", mode, INDEX(MASK))
        with builder.if_else(is_relu) as (then, otherwise):
            with then:
                store(relu)
            with otherwise, builder.if_else(is_mask) as (then_masked, plain):
                with then_masked:
                    store(masked)
                with plain:
                    store(lambda total, p, m: total)
        return context.get_dummy_value()

    return _signature(w, at, 13, (n_out, n_pixels)), codegen


@intrinsic(prefer_literal=True)
def _weight(
    typingctx, w, at, x, offsets, x_places, dout, dout_places, count, gradient, rows, stride,
    n_terms, n_out,
):  # fmt: skip
    """``plain_weight`` in registers; ``n_terms`` and ``n_out`` are compile-time constants."""
    if not all(isinstance(each, types.IntegerLiteral) for each in (n_terms, n_out)):
        return None
    m_, n_ = n_terms.literal_value, n_out.literal_value

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        x, offsets, x_places, dout, dout_places, count, gradient, rows, stride = arguments[2:11]
        on = _Vectors(context, builder, signature, arguments)
        sources = [on.pointer(builder.add(x, on.number(offsets, m))) for m in range(m_)]
        slopes = on.pointer(dout)

        def step(p: Any, totals: list[Any]) -> list[Any]:
            here = on.number(builder.add(x_places, p))
            there = builder.gep(slopes, [on.number(builder.add(dout_places, p))])
            values = [on.load(there, n) for n in range(n_)]
            changed = []
            for m in range(m_):
                term = on.load(builder.gep(sources[m], [here]))
                changed += [on.multiply_add(term, values[n], totals[m * n_ + n]) for n in range(n_)]
            return changed

        totals = on.sums(count, [on.zero] * (m_ * n_), step)
        for m in range(m_):
            row = builder.add(gradient, builder.mul(on.number(rows, m), stride))
            on.add(on.sums_of_lanes(totals[m * n_ : (m + 1) * n_]), on.pointer(row))
        return context.get_dummy_value()

    return _signature(w, at, 9, (n_terms, n_out)), codegen


@intrinsic
def _largest(typingctx, w, at, z, right, down, x):
    """``plain_largest`` in registers."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        z, right, down, x = arguments[2:]
        on = _Vectors(context, builder, signature, arguments)

        def larger(a: Any, b: Any) -> Any:
            first = builder.or_(
                builder.fcmp_ordered(">", a, b), builder.fcmp_unordered("uno", a, a)
            )
            return builder.select(first, a, b)

        four = [on.load(place) for place in _square(on, builder, z, right, down)]
        on.store(larger(larger(*four[:2]), larger(*four[2:])), on.pointer(x))
        return context.get_dummy_value()

    return _signature(w, at, 4, ()), codegen


@intrinsic
def _to_largest(typingctx, w, at, z, right, down, x, dx, dz, dz_right, dz_down):
    """``plain_to_largest`` in registers."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        z, right, down, x, dx, dz, dz_right, dz_down = arguments[2:]
        on = _Vectors(context, builder, signature, arguments)
        best, slope = on.load(on.pointer(x)), on.load(on.pointer(dx))
        given: Any = None
        for source, target in zip(
            _square(on, builder, z, right, down),
            _square(on, builder, dz, dz_right, dz_down),
            strict=True,
        ):
            here = builder.fcmp_ordered("==", on.load(source), best)
            if given is not None:
                here = builder.and_(here, builder.not_(given))
            on.store(builder.select(here, slope, on.zero), target)
            given = here if given is None else builder.or_(given, here)
        return context.get_dummy_value()

    return _signature(w, at, 8, ()), codegen


def _square(on: _Vectors, builder: ir.IRBuilder, corner: Any, right: Any, down: Any) -> list[Any]:
    """Pointers to four pixels, row by row."""
    below = builder.add(corner, down)
    places = [corner, builder.add(corner, right), below, builder.add(below, right)]
    return [on.pointer(place) for place in places]


_OFF = getattr(config, "DISABLE_JIT", 0)
patch: Any = plain_patch if _OFF else _patch
weight: Any = plain_weight if _OFF else _weight
largest: Any = plain_largest if _OFF else _largest
to_largest: Any = plain_to_largest if _OFF else _to_largest
