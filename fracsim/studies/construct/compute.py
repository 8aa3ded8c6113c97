"""What ``fracsim construct`` does: build a network, try it, and say how it did."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.data.provenance import provenance
from fracsim.data.studies import write_study
from fracsim.errors import UsageError
from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.networks.file import NETWORK
from fracsim.studies.construct.construct import Construction, construct
from fracsim.studies.construct.declaration import Settings
from fracsim.studies.construct.verify import Verification, verify
from fracsim.studies.study import OnProgress, Result, fractal_of, silent
from fracsim.text import brief
from fracsim.values.arguments import DISTRIBUTION, SEED, Place, Text, door, instance


@brief
@dataclass(frozen=True, eq=False)
class Constructed(Result):
    """A network, the points it was tried on, and how it did."""

    built: Construction
    tried: Verification
    distribution: Distribution
    seed: int
    precision: str = "float64"
    """in which it was tried"""

    def arrays(self) -> dict[str, np.ndarray]:
        """The variables of a file of kind "network"."""
        return {
            "params": self.built.params,
            "level": np.arange(self.built.fractal_depth + 1),
            "errors": self.tried.errors,
            "samples": self.tried.samples,
        }

    def attributes(self) -> dict[str, str | int | float]:
        """What the file says of the network, its fractal and the points."""
        c, distribution = self.built, self.distribution
        return {
            "about": c.about,
            "input_dimension": c.shape.inputs,
            "network_depth": c.shape.depth,
            "width": c.shape.width,
            **({} if c.shape.is_even else {"widths": "-".join(map(str, c.layer_sizes))}),
            "layer_sizes": " -> ".join(map(str, [c.shape.inputs, *c.layer_sizes, 1])),
            "parameters": c.parameters,
            "largest_weight": c.largest_weight,
            "fractal": c.fractal.name,
            "fractal_definition": json.dumps(c.fractal.to_dict()),
            "fractal_depth": c.fractal_depth,
            "levels": c.levels,
            "merge": c.merge,
            "slope": c.slope,
            "curve": distribution.curve.name,
            "gap": str(distribution.gap),
            "positive_margin": c.positive_margin,
            "negative_margin": c.negative_margin,
            "seed": self.seed,
            "error": self.tried.error,
            "hinge_loss": self.tried.hinge_loss,
        }

    def summary(self) -> dict[str, Any]:
        """Lists by level go from 0 to n; ``expected_error`` is 1 - P(levels)."""
        built, tried = self.built, self.tried
        return {
            "fractal": built.fractal.name,
            "fractal_depth": built.fractal_depth,
            "levels": built.levels,
            "merge": built.merge,
            "hidden_layers": built.shape.depth,
            "layer_sizes": built.layer_sizes,
            "width": built.shape.width,
            "widths": built.layer_sizes,
            "parameters": built.parameters,
            "stored_parameters": built.params.size,
            "largest_weight": built.largest_weight,
            "slope": built.slope,
            "positive_margin": built.positive_margin,
            "negative_margin": built.negative_margin,
            "precision": self.precision,
            "samples": int(tried.samples.sum()),
            "samples_by_level": tried.samples,
            "errors_by_level": tried.errors,
            "error": tried.error,
            "expected_error": self.expected_error,
            "hinge_loss": tried.hinge_loss,
        }

    @property
    def expected_error(self) -> float:
        """1 - P(levels)"""
        values = self.distribution.curve.values(self.built.fractal_depth)
        return 1 - float(values[self.built.levels])

    def words(self) -> list[str]:
        """The network and its trial, then a row for each level."""
        built, tried, n = self.built, self.tried, self.built.fractal_depth
        touch = "its images touch" if built.fractal.touching else "its images keep a gap"
        sizes = ", ".join(map(str, built.layer_sizes))
        lines = [
            f"a network that decides K_{built.levels} of {built.fractal.name}",
            f"hidden layers    {built.shape.depth}, of {sizes} units",
            f"parameters       {built.parameters:,} (at most {built.shape.width} wide)",
            f"largest weight   {built.largest_weight:.4g}",
            f"slope            {built.slope} the images ({touch})",
            f"positive margin  {built.positive_margin:.4g}",
            f"negative margin  {built.negative_margin:.4g}",
            f"error            {tried.error:.6f} on {tried.samples.sum():,} points "
            f"in {self.precision}; "
            f"1 - P({built.levels}) = {self.expected_error:.6f}",
            f"hinge loss       {tried.hinge_loss:.6f}",
            "",
            f"{'level':>5}  {'points':>10}  {'errors':>10}",
        ]
        for j, (count, errors) in enumerate(zip(tried.samples, tried.errors, strict=True)):
            lost = "lost: finer than the network looks" if j >= built.levels else ""
            what = "positives" if j == n else lost
            lines.append(f"{j:5}  {count:10,}  {errors:10,}  {what}".rstrip())
        return lines


def compute(settings: Settings, progress: OnProgress = silent) -> Constructed:
    """Build the network and try it on points that keep its margins. Raises UsageError, RunError."""
    curve = parse_curve(settings.curve)
    built = construct(
        fractal_of(settings),
        settings.fractal_depth,
        settings.levels,
        settings.merge,
        settings.positive_margin,
        settings.negative_margin,
    )
    precision, margins = settings.precision, (built.positive_margin, built.negative_margin)
    distribution = Distribution(built.fractal, settings.fractal_depth, curve, None, *margins)
    count = settings.count
    seed, done = settings.seed, lambda done: progress(done, count)
    tried = verify(built, distribution, count, seed, done, precision)
    return Constructed(built, tried, distribution, seed, precision)


@door(
    path=Place(),
    construction=instance("a Construction", "studies.construct.construct:Construction"),
    verification=instance("a Verification", "studies.construct.verify:Verification"),
    distribution=DISTRIBUTION,
    seed=SEED,
    command=Text(),
)
def store_network(
    path: str | os.PathLike[str],
    construction: Construction,
    verification: Verification,
    distribution: Distribution,
    seed: int = 0,
    command: str = "",
) -> None:
    """Write the network and what its trial on ``distribution`` with ``seed`` gave as a study of
    kind "network".

    ``fracsim.networks.stored.load_network`` reads it. Raises FileError where it cannot be written.
    """
    n, tried = construction.fractal_depth, len(verification.samples) - 1
    if not n == tried == distribution.fractal_depth:
        raise UsageError(
            f"verification and distribution are of fractal depth {tried} and "
            f"{distribution.fractal_depth}; accepted is the construction's, {n}"
        )
    made = Constructed(construction, verification, distribution, seed)
    write_study(path, NETWORK, made.arrays(), {**made.attributes(), **provenance(command)})


def checks() -> Iterator[tuple[str, float, float]]:
    """Theorem 1 for the doctor: the network of cantor1d errs on none of its points."""
    made = compute(Settings("cantor1d", 3, count=2000))
    yield "constructed network, points it gets wrong", float(made.tried.errors.sum()), 0.0
