"""The race of ``gpu.py``: every contender in each cell (width, R), each in its own process, within
a deadline."""

import os
import sys
import threading
import time

import numpy as np
from contenders import BATCH, DEPTH
from training import ONE_THREAD, Contender

FEW = 16
"""Networks whose initial weights are drawn; more runs take them in turn."""

JAX_FLAGS = {"jax": "", "jax, loop in a graph": "--xla_gpu_enable_command_buffer=+WHILE"}
"""XLA's defaults; and with its loops, too, as CUDA graphs."""


class Process(Contender):
    """A process of gpu_contenders.py. What goes wrong in it is an answer {"failed": reason}, also
    its death."""

    script = "gpu_contenders.py"

    def __init__(self, name, python, data, device, flags=""):
        on_cpu = ONE_THREAD if device == "cpu" else {}
        given = " ".join(
            filter(None, [os.environ.get("XLA_FLAGS", ""), on_cpu.get("XLA_FLAGS", ""), flags])
        )
        # JAX would else take most of the card's memory for itself
        self.environment = {**on_cpu, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_FLAGS": given}
        self.limit, self.dead = 180.0, ""
        super().__init__(name, python, data, [device])

    def answer(self):
        killer = threading.Timer(self.limit, self.process.kill)
        killer.start()
        try:
            return super().answer()
        except SystemExit as end:
            if self.process.poll() is not None:
                self.dead = str(end)
            return {"failed": str(end)}
        finally:
            killer.cancel()

    def ask(self, **request):
        if self.dead:
            return {"failed": self.dead}
        try:
            return super().ask(**request)
        except OSError as error:
            self.dead = f"the contender {self.name} has ended ({error})"
            return {"failed": self.dead}

    def end(self):
        if not self.dead:
            super().end()


def write_data(path, widths, points):
    """Points and initial weights that every contender starts from."""
    from fracsim.fractals.curve import parse_curve
    from fracsim.fractals.distribution import Distribution
    from fracsim.fractals.fractal import load_fractal
    from fracsim.kernels.network.shape import Shape
    from fracsim.networks.initial import initial_parameters

    sample = Distribution(load_fractal("cantor"), 5, parse_curve("1")).sample(points, seed=0)
    params = {
        f"params{k}": np.array(
            [initial_parameters(Shape(2, DEPTH, k), "paper", seed) for seed in range(FEW)]
        )
        for k in widths
    }
    np.savez(path, x=sample.x.astype(np.float32), y=sample.y.astype(np.float32), **params)


def bytes_needed(width, runs):
    """Bytes that the greediest contender needs in a cell, roughly: state, gradient and copies;
    activations; orders."""
    parameters = 3 * width + (DEPTH - 1) * (width + 1) * width + width + 1
    return 4.0 * runs * (6 * parameters + 4 * DEPTH * BATCH * width + 1000 * BATCH)


def steps_of(width, runs, points):
    """Steps of one call: a thousand of small ensembles, which last some 30 ms, fewer of large
    ones."""
    if points < 50_000:
        return 20  # a rehearsal
    return 1000 if width * width * runs < 5e6 else 200


def attempt(process, width, runs, steps, seconds, **how):
    """{"loss", "microseconds", …} of one contender in one cell, or {"failed": reason}."""
    found = process.ask(do="prepare", width=width, runs=runs, steps=steps, **how)
    if "failed" not in found:
        found |= process.ask(do="measure", seconds=seconds)
    process.ask(do="release")
    return found


class Race:
    """The contenders that are here. ``deadline``: of ``time.monotonic``; cells and columns after it
    are left out."""

    def __init__(self, data, device, peers, peer_python, points, seconds, deadline, memory):
        self.points, self.seconds, self.deadline, self.memory = points, seconds, deadline, memory
        self.data, self.device, self.python = data, device, peer_python
        self.processes, self.versions, self.missing, self.ways, self.flags = {}, {}, {}, {}, {}
        for name in ("fracsim", *peers):
            self.start(name)

    def start(self, name, flags=""):
        """Start a contender, or note why it is not here."""
        self.flags[name] = flags
        python = sys.executable if name == "fracsim" else self.python
        process = Process(name, python, self.data, self.device, flags)
        if "version" in process.hello:
            self.processes[name], self.versions[name] = process, process.hello["version"]
        else:
            self.missing[name] = process.hello.get("missing") or process.hello["failed"]

    def choose_jax(self, widths, runs, unrolls=(4,)):
        """Find JAX's fastest way at each of ``widths``: loop in a graph or not, parameters as tree
        or flat, unrolled.

        Returns {width: {way: microseconds or failure}}; ``ways`` gets what the other widths take.
        """
        table = {width: {} for width in widths}
        best = {width: (np.inf, {}, "") for width in widths}
        if "jax" not in self.processes:
            return table
        for label, flags in JAX_FLAGS.items():
            if flags:
                self.processes.pop("jax").end()
                self.start("jax", flags)
            for width in widths:
                for layout, unroll in [
                    ("tree", 1),
                    ("flat", 1),
                    *(("", unroll) for unroll in unrolls),
                ]:
                    if "jax" not in self.processes:
                        break
                    how = {
                        "layout": layout or best[width][1].get("layout", "tree"),
                        "unroll": unroll,
                    }
                    steps = steps_of(width, runs, self.points)
                    found = attempt(
                        self.processes["jax"], width, runs, steps, self.seconds / 2, **how
                    )
                    spent = (
                        float(np.median(found["microseconds"]))
                        if "microseconds" in found
                        else np.inf
                    )
                    table[width][f"{label}, {how['layout']}, unroll {unroll}"] = found.get(
                        "failed", spent
                    )
                    best[width] = min(best[width], (spent, how, flags), key=lambda way: way[0])
        # one process has one set of flags: that of the way which costs least over all widths, each
        # relative to its best
        flags = min(JAX_FLAGS.values(), key=lambda each: self._loss_by(each, table, best))
        self.ways = {width: {**best[width][1]} for width in widths}
        if "jax" in self.processes:
            self.processes.pop("jax").end()
        self.start("jax", flags)
        return table

    @staticmethod
    def _loss_by(flags, table, best):
        label = next(name for name, each in JAX_FLAGS.items() if each == flags)
        times = {
            width: [
                value
                for way, value in ways.items()
                if way.rpartition(", ")[0].rpartition(", ")[0] == label and isinstance(value, float)
            ]
            for width, ways in table.items()
        }
        return sum(min(found, default=np.inf) / best[width][0] for width, found in times.items())

    def way_of(self, width):
        """How JAX trains networks of this width."""
        nearest = min(self.ways, key=lambda each: abs(np.log(each / width)), default=None)
        return self.ways.get(nearest, {})

    def cell(self, width, runs, tf32):
        """All contenders in one cell; ``tf32``: with the columns for information."""
        cell = {"width": width, "runs": runs}
        steps, needed = steps_of(width, runs, self.points), bytes_needed(width, runs)
        columns = [(name, name, {}) for name in self.processes]
        if tf32:
            columns += [
                (f"{name}_tf32", name, {"precision": "tensorfloat32"})
                for name in self.processes
                if name != "fracsim"
            ]
        for column, name, how in columns:
            if needed > 0.8 * self.memory:
                sizes = (
                    f"about {needed / 2**30:.1f} GiB are needed, the card has "
                    f"{self.memory / 2**30:.1f}"
                )
                cell[column] = {"skipped": sizes}
            elif time.monotonic() > self.deadline:
                cell[column] = {"skipped": "out of time (--minutes)"}
            else:
                how |= self.way_of(width) if name == "jax" else {}
                cell[column] = attempt(
                    self.processes[name], width, runs, steps, self.seconds, **how
                )
                if self.processes[name].dead:
                    self.start(name, self.flags[name])
        return cell

    def end(self):
        """End all processes."""
        for process in self.processes.values():
            process.end()
