"""``fracsim doctor``: what this machine offers, and whether the compiled kernels compute what they
should here."""

import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

import fracsim
from fracsim.cli.options import echo_json, example, json_option
from fracsim.cli.warmup import cache_folder
from fracsim.text import size

if TYPE_CHECKING:
    import numpy as np

    from fracsim.kernels.network import Shape
    from fracsim.selftest.agreement import Agreement

LIBRARIES = ("numba", "llvmlite", "numpy", "h5py", "matplotlib", "click")


class Check(NamedTuple):
    """One agreement check: its largest deviation from plain NumPy and the largest that is
    accepted."""

    name: str
    deviation: float
    accepted: float

    @property
    def passed(self) -> bool:
        return self.deviation <= self.accepted  # NaN fails


@click.command(epilog=example("fracsim doctor", "fracsim doctor --json > machine.json"))
@json_option
def command(as_json: bool) -> int:
    """Say versions, CPU features, threads, cache and CUDA, check the kernels against plain NumPy,
    and CUDA's against the CPU's where a card works.

    Exit code 1 where a check fails: results of this installation should then not be trusted.
    """
    facts = machine()
    if not as_json:
        width = max(map(len, facts)) + 2
        click.echo("\n".join(f"{name:{width}}{value}" for name, value in facts.items()))
        click.echo(
            "\nkernels, compiled first where the cache lacks them, against plain NumPy (largest "
            "deviation, accepted)"
        )
    results = []
    for check in checks():
        results.append(check)
        if not as_json:
            _echo_row(check.name, check)
    agreed: list[Agreement] = []
    for each in agreement():
        if not as_json and not agreed:
            click.echo("\nbackends against the CPU (largest error, accepted)")
        agreed.append(each)
        if not as_json:
            _echo_row(f"{each.backend:6}{each.verb}", each)
    passed = all([check.passed for check in results] + [each.passed for each in agreed])
    if as_json:
        rows = {
            name: [{**each._asdict(), "passed": each.passed} for each in found]
            for name, found in (("checks", results), ("agreement", agreed))
        }
        echo_json({**facts, **rows})
    elif not passed:
        click.echo(
            "Error: a kernel computes something wrong on this machine; please report it.", err=True
        )
    return 0 if passed else 1


def _echo_row(name: str, each: "Check | Agreement") -> None:
    word = "ok" if each.passed else "WRONG"
    click.echo(f"  {name:42}{each.deviation:9.2g}{each.accepted:9.2g}  {word}")


def machine() -> dict[str, str]:
    """Name -> value of what decides speed and bits here."""
    from importlib.metadata import version

    import h5py
    from llvmlite import binding

    from fracsim.kernels.backend import get_backend
    from fracsim.machine.cpus import available_threads

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
        **cuda(),
    }


def _cache() -> str:
    folder = cache_folder()
    if folder is None:
        return (
            "none: no writable folder, kernels are compiled in every process (set NUMBA_CACHE_DIR)"
        )
    kernels = list(Path(folder).rglob("*.nbc"))
    return f"{folder}, {len(kernels)} kernels, {size(sum(path.stat().st_size for path in kernels))}"


def cuda() -> dict[str, str]:
    """Whether --backend cuda works here and, as far as there are any, driver, card, toolkit and
    numba.cuda."""
    from fracsim.kernels.cuda import driver
    from fracsim.kernels.cuda.working import missing, simulator_is_on

    lack = missing()
    facts = {"CUDA": "--backend cuda works" if lack is None else "; ".join(filter(None, lack))}
    if simulator_is_on():
        facts["CUDA"] = (
            "numba's simulator is on (NUMBA_ENABLE_CUDASIM): --backend cuda runs there, for tests "
            "only"
        )
    elif driver.library() is not None:
        facts["CUDA driver"] = "supports CUDA {}.{}".format(*driver.version())
    try:
        from fracsim.kernels.cuda import target

        facts["numba.cuda"] = target.implementation()
        if not simulator_is_on():
            facts["CUDA toolkit"] = "{}.{}".format(*target.toolkit_version())
        if lack is None and not simulator_is_on():
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


def agreement() -> "Iterator[Agreement]":
    """Every verb on the card, or in numba's simulator where that is on, against the CPU; nothing
    where neither is."""
    from fracsim.kernels.backend import get_backend
    from fracsim.kernels.cuda.working import missing, simulator_is_on
    from fracsim.selftest.agreement import SMALL, USUAL, agreements

    if missing() is None:
        yield from agreements(
            get_backend("cuda"), get_backend("cpu"), SMALL if simulator_is_on() else USUAL
        )


def checks() -> Iterator[Check]:
    """Every verb of the backend on a small case, against the plain formula in float64."""
    yield _philox()
    yield _level()
    for precision, accepted in (("float64", 1e-12), ("float32", 1e-5)):
        yield from _network(precision, accepted)
    yield _population()


def _philox() -> Check:
    """The published known answers of Philox4x32-10 (Random123's kat_vectors): counter and key all
    zeros, all ones."""
    import numpy as np

    from fracsim.kernels.philox import philox

    wrong = 0
    for word, answer in (
        (0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (0xFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ):
        wrong += tuple(int(value) for value in philox(*[np.uint64(word)] * 6)) != answer
    return Check("Philox, wrong known answers", wrong, 0)


def _level() -> Check:
    """Levels of 4,000 drawn points, against a search through all cells of each level."""
    import numpy as np

    from fracsim.fractals.fractal import load_fractal
    from fracsim.training.run import Run

    n = 3
    fractal = load_fractal("cantor")
    sample = Run(fractal="cantor", fractal_depth=n).distribution().sample(4000)
    level = np.full(len(sample.x), -1)
    for j in range(n + 1):
        matrices, offsets = fractal.cells(j)
        at = np.einsum("cpq,cnq->cnp", np.linalg.inv(matrices), sample.x[None] - offsets[:, None])
        level[np.any(np.all(np.abs(at) <= 1, axis=2), axis=0)] = j
    wrong = np.sum(level != sample.level) + np.sum(level != fractal.level(sample.x, n))
    return Check("sample and level, points that differ", int(wrong), 0)


def _network(precision: str, accepted: float) -> Iterator[Check]:
    """Output and gradient of a network with 3 hidden layers of 20 units on 37 points, logistic
    loss."""
    import numpy as np

    from fracsim.kernels.backend import get_backend
    from fracsim.kernels.losses import LOSSES
    from fracsim.kernels.network import Shape, parameter_count

    shape, points = Shape(2, 3, 20), 37
    rng = np.random.default_rng(0)
    params = (0.3 * rng.standard_normal(parameter_count(shape))).astype(precision)
    x = rng.uniform(-1, 1, (points, 2)).astype(precision)
    y = np.sign(rng.standard_normal(points)).astype(precision)
    wanted_f, wanted_gradient = plain_network(
        shape, params.astype(float), x.astype(float), y.astype(float)
    )
    backend, first = get_backend("cpu"), np.zeros(1, np.int64)
    f = backend.forward(shape, params[None], x[None], first)
    gradient, _ = backend.gradient(
        shape, LOSSES.index("logistic"), params[None], x[None], y[None], first
    )
    for name, found, wanted in (
        ("output", f[0], wanted_f),
        ("gradient", gradient[0], wanted_gradient),
    ):
        yield Check(
            f"network {name}, {precision}",
            float(np.abs(found - wanted).max() / np.abs(wanted).max()),
            accepted,
        )


def _population() -> Check:
    """Loss of a network over the whole Cantor distribution of depth 3, against the mean over a fine
    grid."""
    import numpy as np

    from fracsim.fractals.fractal import load_fractal
    from fracsim.kernels.line import make_line
    from fracsim.kernels.network import Shape
    from fracsim.kernels.population import population_gradient
    from fracsim.networks.initial import initial_parameters
    from fracsim.training.run import Run

    n, shape, cantor = 3, Shape(1, 2, 20), load_fractal("cantor1d")
    law = Run(fractal="cantor1d", fractal_depth=n).distribution().law()
    params = initial_parameters(shape, "he", 3, None, np.float64, bias_std=0.5)
    x = (np.arange(27 * 2000) + 0.5) / (27 * 2000)
    level = cantor.level(x[:, None], n)
    y = np.where(level == n, 1.0, -1.0)
    mass = np.append(np.diff(law.curve), 0.5)[level] / np.bincount(level)[level]
    wanted = mass @ np.maximum(0, 1 - y * plain_network(shape, params, x[:, None], y)[0])
    _, loss, _ = population_gradient(shape, params[None], make_line(cantor.geometry(), law))
    return Check("loss over a whole distribution", abs(float(loss[0]) - float(wanted)), 1e-6)


def plain_network(
    shape: "Shape", params: "np.ndarray", x: "np.ndarray", y: "np.ndarray"
) -> "tuple[np.ndarray, np.ndarray]":
    """Output f (N,) and gradient (Q,) of the mean logistic loss of a ReLU network, in plain
    NumPy."""
    import numpy as np

    from fracsim.kernels.network import layer_sizes

    weights, outputs, at = [], [x], 0
    for n_in, n_out in layer_sizes(shape):
        weight, bias = (
            params[at : at + n_in * n_out].reshape(n_in, n_out),
            params[at + n_in * n_out :][:n_out],
        )
        weights.append(weight)
        outputs.append(outputs[-1] @ weight + bias)
        at += (n_in + 1) * n_out
        if at < len(params):
            outputs[-1] = np.maximum(outputs[-1], 0)
    f = outputs.pop()[:, 0]
    slope = (-y / (1 + np.exp(y * f)) / len(y))[:, None]
    parts: list[np.ndarray] = []
    for weight, below in zip(reversed(weights), reversed(outputs), strict=True):
        parts[:0] = [(below.T @ slope).ravel(), slope.sum(axis=0)]
        slope = (slope @ weight.T) * (below > 0)
    return f, np.concatenate(parts)
