"""What decides speed and bits on this machine: versions, CPU, threads, the cache of kernels and
CUDA."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import h5py
from llvmlite import binding

import fracsim
from fracsim.kernels.backend import get_backend
from fracsim.kernels.cache import cache_folder, folders
from fracsim.kernels.cuda import driver, working
from fracsim.machine.cpus import available_threads
from fracsim.text import size

LIBRARIES = ("numba", "llvmlite", "numpy", "h5py", "matplotlib", "click")


def machine_facts() -> dict[str, str]:
    """Name -> value of what decides speed and bits here."""
    threads, reason = available_threads()
    features = binding.get_host_cpu_features()
    wide = [
        name
        for name in ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")
        if features.get(name)
    ]
    return {
        "fracsim": f"{fracsim.__version__} in {Path(fracsim.__file__).parent}",
        "Python": f"{platform.python_version()} in {sys.executable}",
        **{name: version(name) for name in LIBRARIES},
        "HDF5": h5py.version.hdf5_version,
        "system": platform.platform(),
        "CPU": f"{binding.get_host_cpu_name()}, {' '.join(wide) or 'no known vector unit'}",
        "backend": get_backend("cpu").device,
        "threads": f"{threads} ({reason})",
        "kernel cache": _cache(),
        **cuda_facts(),
    }


def _cache() -> str:
    folder = cache_folder()
    if folder is None:
        return (
            "none: no writable folder, kernels are compiled in every process (set NUMBA_CACHE_DIR)"
        )
    kernels = [file for place in folders() for file in place.rglob("*.nbc")]
    return f"{folder}, {len(kernels)} kernels, {size(sum(path.stat().st_size for path in kernels))}"


def cuda_facts() -> dict[str, str]:
    """Whether --backend cuda works here and, as far as there are any, driver, card, toolkit and
    numba.cuda."""
    lack = working.missing()
    facts = {"CUDA": "--backend cuda works" if lack is None else "; ".join(filter(None, lack))}
    if working.simulator_is_on():
        facts["CUDA"] = (
            "numba's simulator is on (NUMBA_ENABLE_CUDASIM): --backend cuda runs there, for tests "
            "only"
        )
    elif driver.library() is not None:
        facts["CUDA driver"] = "supports CUDA {}.{}".format(*driver.version())
    try:
        from fracsim.kernels.cuda import target

        facts["numba.cuda"] = target.implementation()
        if not working.simulator_is_on():
            facts["CUDA toolkit"] = "{}.{}".format(*target.toolkit_version())
        if lack is None and not working.simulator_is_on():
            free, total = target.memory()
            facts["CUDA card"] = (
                f"{target.device_name()}, compute capability "
                f"{'.'.join(map(str, target.compute_capability()))}, "
                f"{target.multiprocessors()} multiprocessors, {size(free)} of {size(total)} free"
            )
    except Exception as error:  # a broken installation is what a doctor has to survive
        facts.setdefault(
            "numba.cuda", f"not usable: {type(error).__name__}: {' '.join(str(error).split())}"
        )
        facts.setdefault("CUDA toolkit", "none")
    return facts
