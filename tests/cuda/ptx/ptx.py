"""Compile CUDA kernels to PTX, and PTX to machine code, without a card.

A test module names its kernels in a function without arguments, for example in
tests/cuda/test_thing.py::

    def kernels():
        return {"double d=2": (double_kernel(2), (Things(np.zeros((1, 2))), 5, np.uint64(1)))}

each as (kernel or device function, example arguments: values of the types it is called with, or
numba types), and asks

    text = ptx.compile_ptx("test_thing:kernels")["double d=2", "sm_90"]
    assert not ptx.fusible(text)
    assert ptx.registers(text)["spill_stores"] == 0

``compile_ptx`` skips the test where there is no compiler, ``registers`` where there is no ptxas.
Compiling happens in a process of its own, once for all tests: the tests' own process has numba's
simulator, which compiles nothing."""

import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from places import HELPERS, TOP

ARCHITECTURES = ("sm_80", "sm_90")

EACH = [pytest.param("sm_80", marks=pytest.mark.slow), "sm_90"]
"""For ``parametrize``: to compile for one takes seconds, so that by default it is the newest."""

OF_THE_SIMULATOR = ("NUMBA_ENABLE_CUDASIM", "NUMBA_DISABLE_JIT")
"""Variables that keep numba from compiling for a card."""


def _libraries(home: Path) -> list[Path]:
    return [*home.glob("nvvm/lib64/libnvvm.so*"), *home.glob("lib64/libnvvm.so*")]


@functools.cache
def cuda_home() -> Path | None:
    """Where libnvvm, libdevice and ptxas are: $CUDA_HOME, /usr/local/cuda or the wheel
    nvidia-cuda-nvcc-cu12."""
    homes = [Path(os.environ["CUDA_HOME"])] if os.environ.get("CUDA_HOME") else []
    homes.append(Path("/usr/local/cuda"))
    wheels = importlib.util.find_spec("nvidia")
    homes += (
        [Path(place) / "cuda_nvcc" for place in (wheels.submodule_search_locations or ())]
        if wheels
        else []
    )
    complete = (
        home
        for home in homes
        if _libraries(home) and any(home.glob("nvvm/libdevice/libdevice*.bc"))
    )
    return next(complete, None)


@functools.cache
def compile_ptx(
    jobs: str, architectures: tuple[str, ...] = ARCHITECTURES
) -> dict[tuple[str, str], str]:
    """{(name, architecture): PTX} of the kernels that the function ``jobs`` = "module:function" of
    the tests names."""
    home = cuda_home()
    if home is None:
        pytest.skip("no CUDA compiler: set CUDA_HOME, or pip install nvidia-cuda-nvcc-cu12")
    environment = {key: value for key, value in os.environ.items() if key not in OF_THE_SIMULATOR}
    environment["CUDA_HOME"] = str(home)
    # numba finds a libnvvm.so without a version in its name, as in the wheel, only where the
    # system's loader does
    folders = [str(_libraries(home)[0].parent), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(folders)
    program = f"import sys; sys.path[1:1] = {HELPERS!r}; import ptx; ptx.compile_here()"
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "ptx.json"
        done = subprocess.run(
            [sys.executable, "-c", program, jobs, str(result), *architectures],
            env=environment,
            cwd=TOP,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {
            (name, architecture): text
            for name, architecture, text in json.loads(result.read_text())
        }


def compile_here() -> None:
    """What the process of ``compile_ptx`` does: compile, and write the PTX to a file."""
    import numba
    import numba.cuda.dispatcher
    from numba import cuda
    from numba.cuda.codegen import CUDACodeLibrary

    jobs, result, *architectures = sys.argv[1:]
    capabilities = {
        architecture: (int(architecture[3:-1]), int(architecture[-1]))
        for architecture in architectures
    }
    first = capabilities[architectures[0]]
    # numba asks the card for this when a kernel calls a device function, and there is no card
    card = type("Card", (), {"compute_capability": first})
    numba.cuda.dispatcher.get_current_device = lambda: card
    # most of the time goes into types: what they give is kept, and becomes PTX for each
    # architecture
    libraries, ptx_of = [], CUDACodeLibrary.get_asm_str
    CUDACodeLibrary.get_asm_str = lambda library, cc=None: (
        libraries.append(library) or ptx_of(library, cc)
    )
    module, _, function = jobs.partition(":")
    texts = []
    for name, (kernel, arguments) in getattr(importlib.import_module(module), function)().items():
        types = [
            value if isinstance(value, numba.types.Type) else numba.typeof(value)
            for value in arguments
        ]
        try:
            cuda.compile_ptx(getattr(kernel, "py_func", kernel), numba.types.void(*types), cc=first)
            texts += [(name, each, ptx_of(libraries[-1], cc)) for each, cc in capabilities.items()]
        except Exception as error:
            raise RuntimeError(
                f"{name} does not compile for {' or '.join(architectures)}"
            ) from error
    Path(result).write_text(json.dumps(texts))


def instructions(text: str, pattern: str = "") -> list[str]:
    """The instructions of a PTX text that hold the pattern (a regular expression), without their
    predicates."""
    found = re.findall(r"^\s*(?:@!?%p\d+\s+)?([a-z][\w.:]*(?:\s[^\n]*)?;)", text, re.MULTILINE)
    return [instruction for instruction in found if re.search(pattern, instruction)]


def fusible(text: str) -> list[str]:
    """Operations in float64 that ptxas may fuse, or that are fused: a + or - of a product, neither
    with ``.rn``."""
    products = {re.split(r"[\s,]+", product)[1] for product in instructions(text, r"^mul\.f64")}
    sums = instructions(text, r"^(add|sub)\.f64")
    of_products = [line for line in sums if products & set(re.split(r"[\s,;]+", line)[2:])]
    return of_products + instructions(text, r"^fma.*\.f64")


@functools.cache
def registers(text: str, most: int | None = None) -> dict[str, int]:
    """What ptxas says of a PTX text: registers of a thread, and bytes of its stack, spill_stores
    and spill_loads.

    ``most``: registers that it may use, as the kernel's decorator says.
    """
    home = cuda_home()
    ptxas = shutil.which("ptxas", path=f"{home}/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if ptxas is None:
        pytest.skip("no ptxas: it comes with the CUDA toolkit and with nvidia-cuda-nvcc-cu12")
    architecture = re.search(r"^\.target (\w+)", text, re.MULTILINE)
    assert architecture is not None, "no PTX"
    limit = [] if most is None else [f"-maxrregcount={most}"]
    command = [ptxas, "-v", f"-arch={architecture[1]}", *limit, "-o", os.devnull, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    patterns = {
        "registers": r"Used (\d+) registers",
        "stack": r"(\d+) bytes stack frame",
        "spill_stores": r"(\d+) bytes spill stores",
        "spill_loads": r"(\d+) bytes spill loads",
    }
    return {
        key: max(map(int, re.findall(pattern, done.stderr)), default=0)
        for key, pattern in patterns.items()
    }
