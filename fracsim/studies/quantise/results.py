"""What ``fracsim quantise`` found of a network: rounded to some bits, or converted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.networks.rewriting.layers import Layers, network_of
from fracsim.networks.stored import described
from fracsim.studies.quantise.subject import Subject, fractal_attributes
from fracsim.studies.study import Result
from fracsim.text import brief, table


@dataclass(frozen=True, eq=False)
class Rounding:
    """The network with b bits."""

    bits: int
    fraction: int
    """least over the layers"""
    exact: bool
    accuracy: np.ndarray
    """over all points, then by level; empty without a fractal"""
    change: float
    distinct: tuple[int, int]
    """weights and biases"""


@brief
@dataclass(frozen=True, eq=False)
class Rounded(Result):
    """A network at several numbers of bits."""

    subject: Subject
    accuracy: np.ndarray
    """of the network as it is"""
    rows: Sequence[Rounding]
    form: str = "network"

    @property
    def least_exact_bits(self) -> int | None:
        """The least bits from which on rounding changes no parameter; None where all change one."""
        exact = [row.bits for row in self.rows if row.exact]
        return min(exact) if exact else None

    def arrays(self) -> dict[str, Any]:
        """See ``VARIABLES``."""
        found: dict[str, Any] = {
            "bits": [row.bits for row in self.rows],
            "fraction_bits": [row.fraction for row in self.rows],
            "exact": [int(row.exact) for row in self.rows],
            "largest_change": [row.change for row in self.rows],
            "distinct_weights": [row.distinct[0] for row in self.rows],
            "distinct_biases": [row.distinct[1] for row in self.rows],
        }
        if self.accuracy.size:
            found["accuracy"] = [row.accuracy[0] for row in self.rows]
            found["accuracy_by_level"] = np.array([row.accuracy[1:] for row in self.rows])
        return {name: np.array(values) for name, values in found.items()}

    def attributes(self) -> dict[str, str | int | float]:
        """What network it is, and how good without rounding."""
        network = self.subject.network
        known = {"about": f"{network.sizes}; {network.about}", **fractal_attributes(network)}
        if self.accuracy.size:
            known["accuracy_unrounded"] = float(self.accuracy[0])
        return known

    def summary(self) -> dict[str, Any]:
        """``results``: an object for each number of bits."""
        network = self.subject.network
        return {
            "network": f"{network.sizes}; {network.about}",
            **({"accuracy": float(self.accuracy[0])} if self.accuracy.size else {}),
            "least_exact_bits": self.least_exact_bits,
            "results": [self._row(row) for row in self.rows],
        }

    def words(self) -> list[str]:
        """A row for each number of bits."""
        network = self.subject.network
        rows: list[tuple[object, ...]] = [("bits", "f", "exact", "accuracy", "change", "weights")]
        for row in self.rows:
            accuracy = f"{row.accuracy[0]:.4f}" if row.accuracy.size else None
            exact = "yes" if row.exact else "no"
            change = f"{row.change:.3g}"
            rows.append((row.bits, row.fraction, exact, accuracy, change, row.distinct[0]))
        unrounded = f"; accuracy {self.accuracy[0]:.4f} unrounded" if self.accuracy.size else ""
        return [f"{network.sizes}; {network.about}{unrounded}", *table(rows)]

    def _row(self, row: Rounding) -> dict[str, Any]:
        known: dict[str, Any] = {"bits": row.bits, "fraction_bits": row.fraction}
        if row.accuracy.size:
            known["accuracy"] = float(row.accuracy[0])
            known["accuracy_by_level"] = [
                None if math.isnan(value) else float(value) for value in row.accuracy[1:]
            ]
        return known | {
            "exact": row.exact,
            "largest_change": row.change,
            "distinct_weights": row.distinct[0],
            "distinct_biases": row.distinct[1],
        }


@brief
@dataclass(frozen=True, eq=False)
class Converted(Result):
    """The deeper network of simple weights."""

    subject: Subject
    bits: int
    layers: Layers
    identical: bool
    unchanged: bool
    """whether rounding to these bits changed no parameter"""
    form: str = "converted"

    def arrays(self) -> dict[str, np.ndarray]:
        """``params``."""
        return {"params": network_of(self.layers)[1]}

    def attributes(self) -> dict[str, str | int | float]:
        """The network, and what it was made of."""
        shape, network = network_of(self.layers)[0], self.subject.network
        about = f"{self.bits} bits of depth {network.shape.depth} by Horner's rule"
        return {**described(shape, about), **fractal_attributes(network), "bits": self.bits}

    def summary(self) -> dict[str, Any]:
        """Sizes and weights; ``identical``: equal to the network of b bits, in whole numbers."""
        shape, params = network_of(self.layers)
        weights = np.unique(np.concatenate([layer.weights.ravel() for layer in self.layers]))
        return {
            "bits": self.bits,
            "hidden_layers": shape.depth,
            "hidden_layers_before": self.subject.network.shape.depth,
            "width": shape.width,
            "units": sum(shape.widths),
            "parameters": params.size,
            "weights": (weights + 0.0).tolist(),
            "identical": self.identical,
            "rounding_exact": self.unchanged,
        }

    def words(self) -> list[str]:
        """The network in a few lines."""
        said = self.summary()
        weights = ", ".join(f"{weight:g}" for weight in said["weights"])
        before = said["hidden_layers_before"]
        return [
            f"the network of {self.bits} bits, deeper",
            f"hidden layers    {said['hidden_layers']}, from {before}",
            f"units            {said['units']:,}, at most {said['width']:,} in a layer",
            f"weights          {weights}",
            f"identical        {'yes' if self.identical else 'no'}, in whole numbers",
        ]
