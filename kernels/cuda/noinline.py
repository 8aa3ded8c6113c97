"""Functions that the compiler must not inline, and the pointers that they take.

The compiler of the card inlines nearly all functions into the kernel that calls them, where they
compete for registers. A product needs all it can get, so it is called by ``call_noinline``. Such a
function must have few arguments (from about 50 numbers on the compiler ignores the wish, and an
array counts as seven), hence ``pointer``."""

from typing import Any

from fracsim.kernels.cuda.target import SIMULATED


def _plain_call_noinline(function: Any, arguments: tuple[Any, ...]) -> Any:
    """function(*arguments)."""
    return function(*arguments)


def _plain_pointer(array: Any, start: Any) -> Any:
    """The elements of an array, or of a pointer, from ``start`` on, as one number in a register."""
    return array[int(start) :]


def _make_call_noinline() -> Any:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.extending import intrinsic

    def calls(builder: ir.IRBuilder) -> list[ir.CallInstr]:
        found = (each for block in builder.function.blocks for each in block.instructions)
        return [each for each in found if isinstance(each, ir.CallInstr)]

    @intrinsic
    def call_noinline(typingctx, function, arguments):
        signature = function.get_call_type(typingctx, tuple(arguments), {})

        def codegen(context: Any, builder: Any, _: Any, values: Any) -> Any:
            callee = context.get_function(function, signature)
            before = {id(call) for call in calls(builder)}
            answer = callee(builder, cgutils.unpack_tuple(builder, values[1]))
            for call in calls(builder):
                if id(call) not in before:
                    call.attributes.add("noinline")
            return answer

        return signature.return_type(function, arguments), codegen

    return call_noinline


def _make_pointer() -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def pointer(typingctx, array, start):
        signature = types.CPointer(array.dtype)(array, start)

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            data = values[0]
            if isinstance(signature.args[0], types.Array):
                data = context.make_array(signature.args[0])(context, builder, value=data).data
            return builder.gep(data, [values[1]])

        return signature, codegen

    return pointer


call_noinline: Any = _plain_call_noinline if SIMULATED else _make_call_noinline()
pointer: Any = _plain_pointer if SIMULATED else _make_pointer()
