"""Arrays that a function on the card makes for itself: over a pointer that it was given, or of its
own."""

from typing import Any

import numpy as np

from fracsim.kernels.cuda.target import SIMULATED


def _plain_view(pointer: Any, shape: tuple[int, ...]) -> Any:
    """The elements at a pointer as a contiguous array of that shape; it may be used, but not
    returned."""
    return pointer[: int(np.prod(shape))].reshape(shape)


def _plain_numbers(like: tuple[float, ...]) -> Any:
    """A new array of as many float64 as the tuple has, with anything in them.

    A type tells the length of a tuple, so the array has a constant size and lies in registers; and
    one function serves all dimensions, each compiled for itself."""
    return np.empty(len(like))


def _make_view() -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def view(typingctx, pointer, shape):
        kind = types.Array(pointer.dtype, len(shape), "C")

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            sizes = [
                context.cast(builder, builder.extract_value(values[1], axis), size, types.intp)
                for axis, size in enumerate(signature.args[1])
            ]
            return _array_at(context, builder, kind, values[0], sizes)

        return kind(pointer, shape), codegen

    return view


def _make_numbers() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def numbers(typingctx, like):
        kind = types.Array(types.float64, 1, "C")

        def codegen(context: Any, builder: Any, signature: Any, _: Any) -> Any:
            count = len(signature.args[0])
            data = cgutils.alloca_once(builder, ir.ArrayType(ir.DoubleType(), count))
            data = builder.bitcast(data, ir.DoubleType().as_pointer())
            return _array_at(
                context, builder, kind, data, [context.get_constant(types.intp, count)]
            )

        return kind(like), codegen

    return numbers


def _array_at(context: Any, builder: Any, kind: Any, data: Any, shape: list[Any]) -> Any:
    from numba.core import types
    from numba.np.arrayobj import populate_array

    itemsize = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype))
    )
    strides = [itemsize]
    for size in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], size))
    array = context.make_array(kind)(context, builder)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


view: Any = _plain_view if SIMULATED else _make_view()
numbers: Any = _plain_numbers if SIMULATED else _make_numbers()
