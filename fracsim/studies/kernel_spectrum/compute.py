"""What ``fracsim kernel-spectrum`` does, and its numbers in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fracsim.studies.kernel_spectrum.declaration import Settings
from fracsim.studies.kernel_spectrum.spectrum import (
    ACCEPTED,
    SphereKernel,
    eigenvalues,
    fitted,
    harmonics,
    limit,
    trace,
)
from fracsim.studies.study import OnProgress, Result, silent
from fracsim.text import brief


@brief
@dataclass(frozen=True, eq=False)
class Spectrum(Result):
    """Eigenvalues by layers and degree, and their decay."""

    settings: Settings
    found: dict[str, NDArray[Any]]
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, Any]:
        """The variables declared."""
        return self.found

    def attributes(self) -> dict[str, Any]:
        """The kernel."""
        one = self.settings
        facts: dict[str, Any] = {"kernel": one.kernel, "dimension": one.dimension}
        return {**facts, ("scale" if one.kernel == "laplace" else "bias"): _size(one)}

    def words(self) -> list[str]:
        """Decay by layers."""
        one, found = self.settings, self.found
        lines = [f"{name_of(one.kernel)} on S^{one.dimension - 1}: μ_k ~ C κ^p, κ = k + (d-2)/2"]
        if one.bias:
            lines[0] += f"; biases {one.bias:g}"
        for row, layers in enumerate(one.depths):
            what = "" if one.kernel == "laplace" else f"L = {layers}, "
            for parity, word in ((0, "even"), (1, "odd")):
                values = (
                    found[name][row, parity]
                    for name in ("exponent", "exponent_exact", "constant", "constant_exact")
                )
                p, exact, c, c_exact = values
                if np.isnan(exact):
                    lines.append(f"  {what}{word} k: 0, but for the first ones")
                    continue
                lines.append(
                    f"  {what}{word} k: p = {p:.3f} (exactly {exact:g}), C = {c:.5g} "
                    f"(exactly {c_exact:.5g})"
                )
        return lines


def name_of(kernel: str) -> str:
    """A kind of kernel in words."""
    return {
        "ntk": "tangent kernel (NTK)",
        "rf": "random features (RF)",
        "step": "random features of step activations",
        "laplace": "Laplace kernel",
    }[kernel]


def _size(one: Settings) -> float:
    return one.scale if one.kernel == "laplace" else one.bias


def compute(settings: Settings, progress: OnProgress = silent) -> Spectrum:
    """Integrate."""
    one, rows = settings, []
    for row, layers in enumerate(one.depths):
        progress(row, len(one.depths))
        rows.append(_row(SphereKernel(one.kernel, layers, one.dimension, one.bias, one.scale), one))
    found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    said = []
    if lost := int(np.isnan(found["eigenvalues"]).sum()):
        said.append(f"{lost} eigenvalues are left out: in float64 they err by more than 1 %.")
    fixed = {
        "layers": np.array(one.depths),
        "degree": np.arange(one.degrees + 1),
        "parity": np.arange(2),
    }
    return Spectrum(one, {**fixed, **found}, said)


def _row(kernel: SphereKernel, one: Settings) -> dict[str, Any]:
    values, error = eigenvalues(kernel, one.degrees)
    values = np.where(error > ACCEPTED * np.abs(values), np.nan, values)
    counts = np.array([float(harmonics(one.dimension, k)) for k in range(one.degrees + 1)])
    total, exact, fit = trace(kernel), limit(kernel), fitted(kernel, values)
    return {
        "eigenvalues": values,
        "error": error,
        "trace": total,
        "trace_share": float(np.nansum(counts * values)) / total,
        "exponent": fit.exponent,
        "exponent_exact": exact.exponent,
        "constant": fit.constant,
        "constant_exact": exact.constant,
    }


def checks() -> Iterator[tuple[str, float, float]]:
    """For the doctor: μ_0 of κ1 on S² is 3/8."""
    values, _ = eigenvalues(SphereKernel("rf", 2, 3), 2)
    yield "first eigenvalue of a random-feature kernel", abs(float(values[0]) - 0.375), 1e-13
