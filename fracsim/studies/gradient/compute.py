"""What ``fracsim gradient`` does, and its numbers in words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.fractals.fractal import Fractal
from fracsim.kernels.network.shape import Shape
from fracsim.studies.gradient.declaration import Settings
from fracsim.studies.gradient.gradient import GradientStudy, RandomNetworks, gradient_study
from fracsim.studies.study import OnProgress, Result, fractal_of, silent
from fracsim.text import brief

QUANTILES = (0.05, 0.5, 0.95)


@brief
@dataclass(frozen=True, eq=False)
class Gradients(Result):
    """Gradients of random networks, and what they are of."""

    study: GradientStudy
    fractal: Fractal
    fractal_depth: int
    draws: RandomNetworks
    delta: float
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Those of ``GradientStudy``."""
        return self.study.arrays()

    def attributes(self) -> dict[str, str | int | float]:
        """What the file says of its origin: enough to understand and repeat it."""
        draws = self.draws
        facts: dict[str, str | int | float | None] = {
            "fractal": self.fractal.name,
            "fractal_definition": json.dumps(self.fractal.to_dict()),
            "fractal_depth": self.fractal_depth,
            "gap": self.fractal.gap,
            "input_dimension": draws.shape.inputs,
            "network_depth": draws.shape.depth,
            "width": draws.shape.width,
            "initialisation": draws.initialisation,
            "bias": draws.bias,
            "bias_std": draws.bias_std,
            "seed": draws.seed,
            "samples": self.study.samples,
            "delta": self.delta,
            "n_prime": self.study.bound.n_prime,
            "note": self.study.bound.note,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """The numbers of a single curve stand at the top, those of several in the list
        ``curves``."""
        study, rows = self.study, self.study.rows()
        level = {
            name: np.quantile(values, QUANTILES, axis=1)
            for name, values in (
                ("max_abs_gradient", study.by_level),
                ("correlation", study.correlation_by_level),
            )
        }
        return {
            **(rows[0] if len(rows) == 1 else {"curves": rows}),
            "n_prime": study.bound.n_prime,
            "draws": study.loss.shape[1],
            "samples": study.samples or None,
            "largest_error": float(study.max_abs_gradient_error.max()),
            "by_level": [
                {
                    "level": j,
                    **{
                        name: dict(zip(("low", "median", "high"), value[:, j], strict=True))
                        for name, value in level.items()
                    },
                }
                for j in range(len(study.by_level))
            ],
            "note": study.bound.note,
        }

    def words(self) -> list[str]:
        """The same in a few lines."""
        study = self.study
        how = f"from {study.samples:,} points" if study.samples else "exact"
        levels = np.median(study.correlation_by_level, axis=1)[:8]
        medians = ", ".join(f"{value:.2g}" for value in levels)
        return [
            f"{study.loss.shape[1]:,} networks, {how}",
            *(_row(row, study.bound.n_prime) for row in study.rows()),
            "negatives of one level j = 0, 1, …: median of max |E[y df/dparams]| " + medians,
        ]


def compute(settings: Settings, progress: OnProgress = silent) -> Gradients:
    """Take the gradients. Raises UsageError, RunError."""
    fractal, n = fractal_of(settings), settings.fractal_depth
    shape = Shape(fractal.dimension, settings.network_depth, settings.width)
    draws = RandomNetworks(
        shape,
        settings.initialisation,
        settings.bias,
        settings.bias_std,
        settings.seed,
        settings.draws,
    )
    draws.params(0)  # refuses an initialisation that does not exist before anything is computed
    study = gradient_study(
        fractal,
        n,
        settings.curve,
        draws,
        delta=settings.delta,
        samples=settings.samples,
        on_progress=lambda done: progress(done, settings.draws),
    )
    notes = [study.bound.note] if study.bound.note else []
    return Gradients(study, fractal, n, draws, settings.delta, notes)


def _row(row: dict[str, Any], n_prime: int | None) -> str:
    """One curve."""
    text = (
        f"curve {row['curve']}: largest gradient entry {row['max_abs_gradient']:.3g} "
        f"(median {row['median_abs_gradient']:.3g}), "
        f"loss {row['loss_min']:.6g} to {row['loss_max']:.6g}"
    )
    if np.isnan(row["bound"]):
        return text
    return (
        f"{text}; Theorem 5 (n' = {n_prime}): at most {row['bound']:.3g} and at least "
        f"{row['loss_bound']:.3g}, met by {row['share_satisfied']:.1%} of the networks"
    )
