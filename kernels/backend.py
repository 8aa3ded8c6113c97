"""The choice of a backend (see ``Backend``): made once, said aloud, and never silently changed."""

from fracsim.kernels.errors import BackendError
from fracsim.kernels.protocol import Backend

__all__ = ["BACKENDS", "Backend", "get_backend"]

BACKENDS = ("auto", "cpu", "cuda")


def get_backend(name: str = "auto") -> Backend:
    """The backend of that name; ``auto`` is the NVIDIA card if one works, else the CPU, and its
    ``why`` says why.

    Numba's CUDA simulator (NUMBA_ENABLE_CUDASIM=1) is for tests: "cuda" takes it, "auto" never
    does. Raises BackendError for a backend that cannot work here, ValueError for an unknown name.
    """
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; accepted: {', '.join(BACKENDS)}")
    from fracsim.kernels.cpu import CpuBackend

    if name == "cpu":
        return CpuBackend()
    from fracsim.kernels.cuda.working import missing, simulator_is_on

    if name == "auto" and simulator_is_on():
        return _because(
            CpuBackend(), "NUMBA_ENABLE_CUDASIM is set, and the simulator is for tests, so the CPU"
        )
    lack = missing()
    if lack is None:
        from fracsim.kernels.cuda.backend import CudaBackend

        return _because(CudaBackend(), "a CUDA card works" if name == "auto" else "")
    if name == "auto":
        return _because(CpuBackend(), f"{lack.what}, so the CPU")
    way_out = f"{lack.cure}, or use backend 'cpu'" if lack.cure else "backend 'cpu' needs no card"
    raise BackendError(f"backend 'cuda': {lack.what}; {way_out}")


def _because(backend: Backend, why: str) -> Backend:
    backend.why = why
    return backend
