"""What is known of the CUDA kernels without a card: registers, spills and shared memory, the
instructions of a point.

The kernels are compiled to PTX in a process of its own (``tests/ptx.py``), for the types that the
backend gives them: it runs there with NumPy's arrays for those of a card, and each launch is noted
instead of made. ptxas, where it is there, tells registers and spills, nvdisasm the mix of machine
instructions; the machine for PTX (``tests/ptx_machine``) counts those of a point."""

import collections
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from contenders import BATCH, DEPTH, INPUTS

WIDTHS = (10, 20, 50, 100, 200, 400)
SHARED = {"sm_80": 163 * 1024, "sm_90": 227 * 1024}
"""Bytes of shared memory that a block can have: of an A100; of an H100 or H200."""
_COUNTED = 2048  # points whose instructions are counted
_HERE = Path(__file__).parent


def kernels():
    """For ``ptx.compile_ptx``, in its process: every kernel that the verbs launch, as first
    launched."""
    from fracsim.kernels.cuda import target

    found = {}

    def note(function, blocks, threads, shared_bytes, stream, *arguments):
        found.setdefault(function.py_func.__name__, (function, arguments))

    instead = {
        "launch": note,
        "new_stream": lambda: None,
        "wait": lambda stream: None,
        "to_card": lambda array, stream: np.array(array, order="C"),
        "new_on_card": lambda shape, dtype, stream: np.zeros(shape, dtype),
        "copy_to_card": lambda array, goal, stream: None,
        "to_host": lambda array, stream: np.array(array),
        "memory": lambda: (2**40, 2**40),
        "free_memory": lambda: 2**40,
        "multiprocessors": lambda: 132,
        "shared_per_block": lambda: SHARED["sm_90"],
        "shared_per_multiprocessor": lambda: SHARED["sm_90"] + 1024,
        "device_name": lambda: "",
        "compute_capability": lambda: (9, 0),
    }
    for name, function in instead.items():  # before the kernels' files import them by name
        setattr(target, name, function)
    _call_verbs()
    import gpu_limits

    work = gpu_limits.Work(np.zeros(1, np.float32))
    note(gpu_limits.multiply_add_kernel(), 1, 1, 0, None, work, 1, np.float32(1))
    return found


def _call_verbs():
    """Each verb in float32, as gpu.py and a sweep use it."""
    from fracsim.kernels.cuda.backend import CudaBackend
    from fracsim.kernels.network.shape import Shape
    from fracsim.kernels.training.train import Dataset, Rule, State, Stream
    from fracsim.networks.initial import initial_parameters

    backend, (geometry, law), shape = CudaBackend(), _cantor(), Shape(INPUTS, DEPTH, 50)
    params, which = initial_parameters(shape, "paper", 0)[None], np.zeros(1, np.int64)
    x, y = np.zeros((1, BATCH, INPUTS), np.float32), np.ones((1, BATCH), np.float32)
    backend.gradient(shape, 0, params, x, y, which)
    backend.evaluate(shape, 0, params, x, y, np.zeros((1, BATCH), np.int16), 5, which)
    backend.layer_norms(shape, params)
    backend.level(geometry, 5, np.zeros((1, INPUTS)))
    backend.sample(geometry, law, 0, 1, 0, 1)
    for source in (Dataset(x, y), Stream(geometry, law)):
        try:
            rule, seeds = Rule(0, 2, 0, BATCH), np.zeros(1, np.uint64)
            backend.train(shape, rule, np.ones(1), seeds, State.start(params), source, which, 0, 1)
        except (AttributeError, NotImplementedError) as error:
            print(
                f"training on a {type(source).__name__.lower()} is left out: {error}",
                file=sys.stderr,
            )


def _cantor():
    from fracsim.fractals.curve import parse_curve
    from fracsim.fractals.distribution import Distribution
    from fracsim.fractals.fractal import load_fractal

    fractal = load_fractal("cantor")
    return fractal.geometry(), Distribution(fractal, 5, parse_curve("1")).law()


def measure():
    """{"kernels": {name: {architecture: numbers}}, "points": {verb: instructions}, "plans": {width:
    …}}.

    Raises RuntimeError where there is no compiler.
    """
    for folder in ("support", "cuda/ptx"):
        sys.path.insert(0, str(_HERE.parent / folder))
    import ptx

    if ptx.cuda_home() is None:
        raise RuntimeError("no CUDA compiler: set CUDA_HOME, or pip install nvidia-cuda-nvcc-cu12")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    texts, table = ptx.compile_ptx("gpu_static:kernels"), {}
    ptxas = shutil.which(
        "ptxas", path=f"{ptx.cuda_home()}/bin{os.pathsep}{os.environ.get('PATH', '')}"
    )
    for (name, architecture), text in texts.items():
        numbers = {
            "PTX instructions": len(ptx.instructions(text)),
            "f64": len(ptx.instructions(text, r"\.f64\b")),
        }
        if ptxas is not None:
            most = limit_of(name)
            numbers |= ptx.registers(text, most) | {
                "most": most,
                "mix": mix_of(text, architecture, ptxas, most),
            }
        table.setdefault(name, {})[architecture] = numbers
    points = {"level": texts["find_levels", "sm_90"], "sample": texts["draw_samples", "sm_90"]}
    return {"kernels": table, "points": instructions_of_points(points), "plans": plans()}


def limit_of(name):
    """Registers that a kernel may use, as its decorator says; None where it does not."""
    for module in ("train", "stream", "evaluate"):
        function = getattr(importlib.import_module(f"fracsim.kernels.cuda.{module}"), name, None)
        if function is not None:
            return function.targetoptions.get("max_registers")
    return None


def instructions_of_points(texts):
    """{verb: PTX instructions of a thread for each point}, counted while the machine for PTX runs
    the kernels."""
    from ptx_machine import run

    from fracsim.kernels.cuda.level import Levels, Stacks
    from fracsim.kernels.cuda.sample import Samples
    from fracsim.kernels.random.philox import SAMPLE

    geometry, law = _cantor()
    stacks = Stacks(np.zeros((128, 5, INPUTS)), np.zeros((128, 5, 2), np.int64))
    x, level = np.zeros((_COUNTED, INPUTS)), np.zeros(_COUNTED, np.int16)
    samples = Samples(x, np.zeros(_COUNTED, np.int8), level)
    drawn = run(
        texts["sample"],
        1,
        128,
        (geometry, law, np.uint64(1), SAMPLE, np.uint64(0), samples, stacks),
    )
    found = run(texts["level"], 1, 128, (geometry, 5, Levels(x, level.copy()), stacks))
    return {"sample": drawn.instructions / _COUNTED, "level": found.instructions / _COUNTED}


def plans():
    """{architecture: {width: blocks of a run, their threads, bytes of shared memory, whether all
    lies there}}."""
    from fracsim.kernels.cuda.layout import make_plan
    from fracsim.kernels.network.shape import Shape

    result = {}
    for architecture, most in SHARED.items():
        result[architecture] = {}
        for width in WIDTHS:
            plan = make_plan(Shape(INPUTS, DEPTH, width), BATCH, 4, most)
            result[architecture][width] = {
                "blocks": plan.blocks,
                "threads": plan.threads,
                "shared": plan.shared_bytes,
                "resident": bool(plan.resident),
            }
    return result


def mix_of(text, architecture, ptxas, most):
    """{machine instruction: how often}, the ten most frequent of the kernel; empty where there is
    no nvdisasm."""
    nvdisasm = shutil.which(
        "nvdisasm", path=f"{Path(ptxas).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if nvdisasm is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.cubin"
        limit = [] if most is None else [f"-maxrregcount={most}"]
        command = [ptxas, f"-arch={architecture}", *limit, "-o", str(binary), "-"]
        subprocess.run(command, input=text, text=True, check=True)
        done = subprocess.run(
            [nvdisasm, "-c", str(binary)], capture_output=True, text=True, check=True
        )
    return dict(machine_instructions(done.stdout).most_common(10))


def machine_instructions(listing):
    """Counter of the instructions of a listing of nvdisasm, without their modifiers."""
    found = re.findall(
        r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)", listing, re.MULTILINE
    )
    return collections.Counter(name for name in found if name != "NOP")
