"""The figure ``kernel-spectrum``: eigenvalues by degree, and their limits."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from fracsim.data.studies import StudyContents
from fracsim.figures import style
from fracsim.studies.kernel_spectrum.compute import name_of


def draw(
    study: StudyContents, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """μ_k against κ = k + (d-2)/2, even degrees filled and odd ones hollow, a colour and marker for
    each number of layers; lines are the exact limits C κ^p.

    Args:
        study: what the file holds. title: replaces the figure's own. size: in inches.
    """
    arrays, facts = study.arrays, study.attributes
    layers, d = arrays["layers"], int(facts["dimension"])
    named = facts["kernel"] != "laplace"
    handles = [
        Line2D([], [], label=f"L = {count} layers" if named else "eigenvalues", **_look(row))
        for row, count in enumerate(layers)
    ]
    grey: dict[str, Any] = {"color": "#606060", "linestyle": "none", "marker": "o", "markersize": 4}
    handles += [
        Line2D([], [], label="even k", **grey),
        Line2D([], [], label="odd k", markerfacecolor="none", **grey),
        Line2D([], [], color="#606060", linewidth=0.9, label="exact limit, even"),
        Line2D([], [], color="#606060", linewidth=0.9, linestyle=":", label="exact limit, odd"),
    ]
    notes = [_slope(arrays["exponent_exact"]), "Degrees with μ_k = 0 are not drawn."]
    if named:
        notes.append("Layers count the output: L = T + 1 of T hidden layers.")
    figure, body = style.page((5.0, 3.6), size, [" ".join(notes)], handles)
    axes = body.subplots()
    kappa = arrays["degree"] + (d - 2) / 2
    for row in range(len(layers)):
        for parity in (0, 1):
            values = arrays["eigenvalues"][row]
            part = (arrays["degree"] % 2 == parity) & (values > 0) & (arrays["degree"] > 0)
            look = {**_look(row), "linestyle": "none"}
            if parity:
                look["markerfacecolor"] = "none"
            axes.plot(kappa[part], values[part], **look)
            p, c = (arrays[f"{name}_exact"][row, parity] for name in ("exponent", "constant"))
            if np.isfinite(p):
                x = np.geomspace(4 + (d - 2) / 2, max(kappa[-1], 5 + (d - 2) / 2), 2)
                colour, dashes = _look(row)["color"], ":" if parity else "-"
                axes.plot(x, c * x**p, color=colour, linestyle=dashes, linewidth=0.9, zorder=1)
    axes.set(xscale="log", yscale="log", ylabel="eigenvalue $μ_k$")
    axes.set_xlabel("k + (d − 2)/2" if d != 2 else "degree k")
    axes.yaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
    ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500]
    style.ticks_at(axes, [float(t) for t in ticks if kappa[1] <= t <= kappa[-1] * 1.05])
    style.head(body, title, f"{_first_up(name_of(str(facts['kernel'])))}, $S^{{{d - 1}}}$")
    return figure


def _look(row: int) -> dict[str, Any]:
    return {**style.look(row), "linestyle": "none", "markersize": 4, "markeredgewidth": 0.8} | {
        "markeredgecolor": style.look(row)["color"]
    }


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _slope(exponents: np.ndarray) -> str:
    known = sorted({f"{value:g}".replace("-", "−") for value in exponents[np.isfinite(exponents)]})
    return f"Exact slope: {', '.join(known)}." if known else "There is no limit."
