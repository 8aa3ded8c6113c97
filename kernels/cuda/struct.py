"""Structs of whole numbers in shared memory, declared as NamedTuples.

A struct has the members of one or more NamedTuples, an int64 each, and is passed around as one
pointer. In a kernel::

    block = cuda.shared.array(1, struct_of(Plan, BlockState))[0]
    block.step += 1

so that a member is called by its name, and its meaning stands once, where the NamedTuple declares
it."""

from typing import Any

import numpy as np

from fracsim.kernels.cuda.target import SIMULATED


def struct_of(*declarations: type) -> Any:
    """The element type, for ``cuda.shared.array``, of a struct with the members of these
    NamedTuples.

    Raises ValueError for a name that two of them have, or that NumPy's records, which the simulator
    takes, would not find as a member."""
    names = [name for declaration in declarations for name in declaration._fields]  # type: ignore[attr-defined]
    hidden = {name for name in names if hasattr(np.record, name) or names.count(name) > 1}
    if hidden:
        raise ValueError(f"members of a struct cannot be called {', '.join(sorted(hidden))}")
    dtype = np.dtype([(name, np.int64) for name in names], align=True)
    if SIMULATED:
        return np.dtype((np.record, dtype))
    from numba import from_dtype

    return from_dtype(dtype)


def _plain_read(struct: Any, declaration: Any) -> Any:
    """The members of a struct that a NamedTuple declares, as that NamedTuple."""
    return declaration(*[int(struct[name]) for name in declaration._fields])


def _plain_write(struct: Any, values: Any) -> None:
    """Set the members of a struct that a NamedTuple, ``values``, has."""
    for name, value in zip(values._fields, values, strict=True):
        struct[name] = value


def _make_read() -> Any:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def read_members(typingctx, struct, declaration):
        names = declaration.instance_class._fields
        kind = types.NamedTuple([struct.typeof(name) for name in names], declaration.instance_class)

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            members = []
            for name in names:
                of_member = struct.typeof(name)
                place = cgutils.get_record_member(
                    builder, values[0], struct.offset(name), context.get_data_type(of_member)
                )
                members.append(context.unpack_value(builder, of_member, place))
            return context.make_tuple(builder, signature.return_type, members)

        return kind(struct, declaration), codegen

    return read_members


def _make_write() -> Any:
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def write_members(typingctx, struct, values):
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            for number, name in enumerate(values.instance_class._fields):
                of_member = struct.typeof(name)
                value = builder.extract_value(arguments[1], number)
                value = context.cast(builder, value, values[number], of_member)
                place = cgutils.get_record_member(
                    builder, arguments[0], struct.offset(name), context.get_data_type(of_member)
                )
                context.pack_value(builder, of_member, value, place)
            return context.get_dummy_value()

        return types.void(struct, values), codegen

    return write_members


read_members: Any = _plain_read if SIMULATED else _make_read()
write_members: Any = _plain_write if SIMULATED else _make_write()
