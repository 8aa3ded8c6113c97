"""Kernels that other kernels call: compiled into their callers, and not on their own as well.

Numba makes of every function, also of one that only compiled code calls, a whole: it optimises it,
emits its machine code, wraps it for Python and for C and writes it to the cache; then it links its
intermediate code into each caller and does all of that again. Along a chain of five kernels that
was three fifths of what the first command on a machine waited for. Here a function called by
compiled code is a ``_Part``: types and intermediate code only, optimised once, within the kernel
that Python calls. Called from Python it is compiled whole, as numba does it."""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature
from numba.core.types import unliteral


class _PartLibrary(JITCodeLibrary):
    """Intermediate code that is only ever linked into another library."""

    def _optimize_final_module(self) -> None:
        """Left to the library that this one is linked into."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _PartCompiler(Compiler):
    """Numba's own passes, without wrappers and without machine code."""

    def __init__(
        self,
        typingctx: Any,
        targetctx: Any,
        library: Any,
        args: Any,
        return_type: Any,
        flags: Any,
        locals: Any,
    ) -> None:
        flags = flags.copy()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        library = _PartLibrary(targetctx.codegen(), "part")
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)


class _Part(CPUDispatcher):
    """What compiled code calls."""

    def add_overload(self, cres: Any) -> None:
        """Make a signature known to compiled code; there is nothing that Python could call."""
        key = object()
        self.targetctx.insert_user_function(key, cres.fndesc, [cres.library])
        self.overloads[tuple(cres.signature.args)] = cres._replace(entry_point=key)


class Linked(CPUDispatcher):
    """A compiled function that Python calls; compiled code that calls it is given its part, unless
    the whole is there already."""

    _part: Any = None

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Types of a call from compiled code, for which the function is compiled: once for all
        integers, not anew for every constant that some caller passes."""
        args = tuple(unliteral(one) for one in args)
        kws = {name: unliteral(one) for name, one in kws.items()}
        _, folded = self.fold_argument_types(args, kws)
        if tuple(folded) in self.overloads:
            return super().get_call_template(args, kws)
        return self.part().get_call_template(args, kws)

    def get_overload(self, sig: Any) -> Any:
        """What stands for a signature in numba's table of compiled functions."""
        args, _ = normalize_signature(sig)
        whole = tuple(args) in self.overloads
        return super().get_overload(sig) if whole else self.part().get_overload(sig)

    def part(self) -> Any:
        """The function as a part of its callers."""
        if self._part is None:
            self._part = _Part(
                self.py_func, self.locals, self.targetoptions, pipeline_class=_PartCompiler
            )
        return self._part
