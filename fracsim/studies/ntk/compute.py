"""What ``fracsim ntk`` does, and its numbers in words."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.errors import RunError
from fracsim.machine.cpus import available_threads
from fracsim.machine.memory import free_memory
from fracsim.studies.kernel_learning.machine import matrix
from fracsim.studies.ntk.after import AfterKernels, of_training
from fracsim.studies.ntk.declaration import RandomSettings, Settings
from fracsim.studies.ntk.finite import (
    Floats,
    inputs_on_sphere,
    random_network,
    tangent_kernel,
    variance_limit,
)
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief

_BLOCK = 50  # draws summed at once; the order of sums is that of blocks, whatever the threads


@brief
@dataclass(frozen=True, eq=False)
class TangentKernels(Result):
    """Θ_n over draws, by width."""

    settings: RandomSettings
    diagonal: Floats
    x: Floats
    mean_kernel: Floats
    wide: Floats
    form = "random"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The variables declared."""
        return {
            "width": np.array(self.settings.width),
            **self.statistics(),
            "diagonal": self.diagonal,
            "x": self.x,
            "mean_kernel": self.mean_kernel,
            "wide_kernel": self.wide,
        }

    def attributes(self) -> dict[str, Any]:
        """The networks."""
        one = self.settings
        return {"inputs": one.inputs, "network_depth": one.network_depth, "draws": one.draws}

    def statistics(self) -> dict[str, Floats]:
        """Name -> (widths,)."""
        n, draws = np.array(self.settings.width), self.settings.draws
        depth, mean = self.settings.network_depth, self.diagonal.mean(1)
        exact = np.full(len(n), depth + 1.0)
        squares = (self.diagonal - exact[:, None]) ** 2
        return {
            "mean": mean,
            "mean_exact": exact,
            "standard_error": self.diagonal.std(1, ddof=1) / np.sqrt(draws),
            "variance_times_width": n * squares.mean(1) / exact**2,
            "variance_error": n * squares.std(1, ddof=1) / np.sqrt(draws) / exact**2,
            "limit": np.full(len(n), variance_limit(depth)),
        }

    def summary(self) -> dict[str, Any]:
        """``results``: an object for each width."""
        found = self.statistics()
        rows = [
            {"width": width, **{name: float(values[row]) for name, values in found.items()}}
            for row, width in enumerate(self.settings.width)
        ]
        off = np.abs(self.mean_kernel - self.wide).max((1, 2))
        for row, distance in zip(rows, off, strict=True):
            row["distance_to_wide"] = float(distance)
        return {**self.attributes(), "points": len(self.x), "results": rows}

    def words(self) -> list[str]:
        """A line for each width."""
        one, found = self.settings, self.statistics()
        lines = [f"T = {one.network_depth}, {one.draws:,} networks of each width: Θ_n(x, x)"]
        for row, width in enumerate(one.width):
            mean, error, spread, unsure = (
                found[name][row]
                for name in ("mean", "standard_error", "variance_times_width", "variance_error")
            )
            lines.append(
                f"  n = {width}: mean {mean:.4g} ± {error:.2g} (exactly {one.network_depth + 1}), "
                f"n Var/mean² = {spread:.4g} ± {unsure:.2g}"
            )
        lines.append(f"  n -> ∞: n Var/mean² = {variance_limit(one.network_depth):.4g}")
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> TangentKernels | AfterKernels:
    """Draw, or take the kernels of a file. Raises RunError, FileError, UsageError."""
    if settings.file is not None:
        return of_training(settings, progress)
    one = settings.complete()
    threads = one.threads or available_threads()[0]
    _check_memory(one, threads)
    x = inputs_on_sphere(one.seed, one.points, one.inputs)
    diagonal = np.empty((len(one.width), one.draws))
    means = np.empty((len(one.width), one.points, one.points))
    done, total = 0, len(one.width) * one.draws
    with ThreadPoolExecutor(threads) as pool:
        for row, width in enumerate(one.width):
            firsts = range(0, one.draws, _BLOCK)

            def block(first: int, width: int = width, row: int = row) -> Floats:
                last = min(first + _BLOCK, one.draws)
                kernels: Floats = np.zeros_like(means[row])
                for draw in range(first, last):
                    network = random_network(one.seed, draw, one.inputs, one.network_depth, width)
                    kernel = tangent_kernel(x, *network)
                    diagonal[row, draw] = kernel[0, 0]
                    kernels += kernel
                return kernels

            means[row] = 0.0
            for first, kernels in zip(firsts, pool.map(block, firsts), strict=True):
                means[row] += kernels
                progress(done + min(first + _BLOCK, one.draws), total)
            done += one.draws
    means /= one.draws
    wide = matrix("ntk", one.network_depth + 1, 1.0, x, x, threads)
    return TangentKernels(one, diagonal, x, means, wide / one.inputs)


def _check_memory(one: RandomSettings, threads: int) -> None:
    widest = max(one.width)
    ends = widest * one.inputs + (one.network_depth - 1) * widest**2
    layers = 4 * one.points * widest * (one.network_depth + 1)
    need = 8.0 * threads * (ends + layers + 3 * one.points**2)
    need += 8.0 * len(one.width) * (one.draws + one.points**2)
    free = free_memory()
    if free is not None and need > free:
        raise RunError(
            f"these networks need {need / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; take "
            "fewer threads, draws or points, or less width"
        )


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: the exact mean of one hidden layer, over 4,000 networks."""
    found = compute(Settings(network_depth=1, width=(20,), draws=4000, threads=1))
    assert isinstance(found, TangentKernels)
    yield "mean of a tangent kernel", abs(float(found.diagonal.mean()) - 2.0), 0.06
