"""Points per second of ``sample`` and ``level`` on the card, cantor in d = 2, n = 5, curve 1:
kernels alone, on points that lie there; and the time of the paper's grid of networks, as a sweep
runs it."""

import tempfile
import time
from pathlib import Path

import numpy as np

N, D = 5, 2
BYTES = {"level": 8 * D + 2, "sample": 8 * D + 1 + 2}
"""Read and written for a point: x; level; y."""

INSTRUCTIONS = {"level": 571, "sample": 411}
"""PTX instructions of a thread for a point, the mean over points of the distribution: counted by
``--static``."""

STEPS = 1_000_000
"""Of a run of the paper"""


def kernel_calls(count, stream):
    """{verb: function that launches its kernel on ``count`` points}."""
    from fracsim.fractals.curve import parse_curve
    from fracsim.fractals.distribution import Distribution
    from fracsim.fractals.fractal import load_fractal
    from fracsim.kernels.cuda import level, sample, target
    from fracsim.kernels.random.philox import SAMPLE

    fractal = load_fractal("cantor")
    distribution = Distribution(fractal, N, parse_curve("1"))
    geometry, law = level.place(fractal.geometry(), stream), level.place(distribution.law(), stream)
    blocks, threads = level.grid_for(count, N, D)
    stacks = level.new_stacks(blocks * threads, N, D, stream)
    new = [((count, D), np.float64), (count, np.int8), (count, np.int16), (count, np.int16)]
    x, y, drawn, found = (target.new_on_card(shape, dtype, stream) for shape, dtype in new)
    samples, points = sample.Samples(x, y, drawn), level.Levels(x, found)

    def draw():
        arguments = (geometry, law, np.uint64(1), SAMPLE, np.uint64(0), samples, stacks)
        target.launch(sample.sample_kernel(D), blocks, threads, 0, stream, *arguments)

    def find():
        target.launch(
            level.level_kernel(D), blocks, threads, 0, stream, geometry, N, points, stacks
        )

    return {"sample": draw, "level": find}  # in this order: level needs the points


def points_per_second(rehearsal=False, repeats=5):
    """{verb: points per second}, the best of the repeats."""
    from fracsim.kernels.cuda import target

    count, stream = 4 if rehearsal else 2**25, target.new_stream()
    result = {}
    for verb, call in kernel_calls(count, stream).items():
        best = 0.0
        for _ in range(1 if rehearsal else repeats + 1):  # the first compiles
            start = time.perf_counter()
            call()
            target.wait(stream)
            best = max(best, count / (time.perf_counter() - start))
        result[verb] = best
    return result


def grid(steps, widths, depths):
    """The paper's networks, one seed: a run for each width and depth."""
    from fracsim.experiments.experiment import make_experiment
    from fracsim.experiments.grid import Grid

    settings = {"steps": steps, "record_every": steps // 100, "learning_rate": 0.005}
    return make_experiment(
        Grid(settings, {"network_depth": list(depths), "width": list(widths)}), name="grid"
    )


def projected(backend, widths, depths, seconds, steps=STEPS):
    """Time of the whole grid, projected from ``seconds`` of a sweep with all networks in flight,
    records included.

    Every network is taken to keep its pace; those that remain when others have ended go faster, so
    that the grid takes no longer. A first short sweep compiles."""
    from fracsim.sweeps.sweep import run_sweep

    experiment, began = grid(steps, widths, depths), []
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(
            experiment,
            Path(folder) / "first.h5",
            backend=backend,
            max_seconds=max(2.0, seconds / 4),
        )

        def progress(state):
            if state.steps and not began:
                began.append(time.monotonic())

        summary = run_sweep(
            experiment,
            Path(folder) / "grid.h5",
            backend=backend,
            max_seconds=1.25 * seconds,
            progress=progress,
        )
        spent = time.monotonic() - (began[0] if began else np.inf)
    longest = slowest(summary.steps, spent, steps)
    run = experiment.runs[longest["row"]]
    name = f"depth {run.network_depth}, width {run.width}"
    return {
        "seconds": longest["seconds"],
        "slowest": name,
        "networks": len(experiment.runs),
        "measured_for": spent,
        "steps": list(map(int, summary.steps)),
    }


def slowest(done, spent, steps):
    """The row that needs longest for ``steps`` at the pace of ``done`` steps in ``spent`` seconds,
    and its time."""
    row = int(np.argmin(done))
    return {"row": row, "seconds": spent * steps / done[row] if done[row] else float("inf")}
