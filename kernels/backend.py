"""The choice of a backend: made once, said aloud, never silently changed.

A backend is a small set of verbs with one signature on every device: ``level``, ``sample``, ``forward``, ``gradient``,
``evaluate``, ``train``. ``CpuBackend`` documents them.
"""

from typing import Any

BACKENDS = ("auto", "cpu", "cuda")


class BackendError(RuntimeError):
    """The backend asked for cannot work here; the text says what is missing."""


class OutOfDeviceMemory(BackendError):
    """The device's memory is too small for what was asked; fewer runs at once may fit."""


def get_backend(name: str = "auto") -> Any:
    """The backend of that name; ``auto`` is the CPU until CUDA kernels exist.

    Raises BackendError for a backend that cannot work here, ValueError for an unknown name.
    """
    if name == "cuda":
        raise BackendError("backend 'cuda': this version of fracsim has no CUDA kernels yet; use 'cpu' or 'auto'")
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; accepted: {', '.join(BACKENDS)}")
    from fracsim.kernels.cpu import CpuBackend

    return CpuBackend()
