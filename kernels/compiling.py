"""Whether kernels are being compiled, and for how long: what a command says, and leaves out of its
timings. Numba is imported only by who compiles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

tell: Callable[[], object] | None = None
"""Called once, when the first kernel of this process is compiled and not merely loaded."""

_spent = 0.0
_local = threading.local()


def seconds() -> float:
    """Seconds that this process has compiled so far."""
    return _spent


def watch() -> None:
    """Look on from now on while numba compiles; for whoever makes kernels, before the first."""
    from numba.core import event

    class Watcher(event.Listener):
        """Compiling one function compiles what it calls: only the outermost counts. Numba compiles
        in one thread at a time."""

        def on_start(self, event: Any) -> None:
            _started()

        def on_end(self, event: Any) -> None:
            _ended()

    event.register("numba:compile", Watcher())


def _started() -> None:
    global tell
    _local.depth = getattr(_local, "depth", 0) + 1
    if _local.depth == 1:
        _local.since = time.perf_counter()
        if tell is not None:
            said, tell = tell, None
            said()


def _ended() -> None:
    global _spent
    _local.depth -= 1
    if _local.depth == 0:
        _spent += time.perf_counter() - _local.since
