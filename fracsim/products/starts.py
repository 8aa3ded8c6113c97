"""Numbers that follow from a run as a whole: when its training started, and what of its network
decides that (B. Hanin and D. Rolnick, *How to start training*, NeurIPS 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fracsim.networks.initial import weight_law
from fracsim.products.entries import Entry, records
from fracsim.values.grammar import layer_widths

STARTED = 0.9
"""The hinge loss below which a run has left its plateau, the loss 1 of f = 0."""
SEEN = 0.25
"""The error below which a level is told from the others."""


def start_step(entry: Entry) -> float:
    """The first recorded step at which the hinge loss on the test set is below ``STARTED``:
    infinite where it is not by the last record, NaN of another loss."""
    if entry.settings.get("loss", "hinge") != "hinge" or entry.real:
        return math.nan
    return float(_first(entry, entry.series("test_loss")[: records(entry)] < STARTED))


def start_step_by_level(entry: Entry) -> NDArray[np.float64]:
    """The first recorded step at which the error of each level (n + 1,) is below ``SEEN``:
    infinite where it is not by the last record, NaN where there are no such points."""
    table = entry.series("test_accuracy_by_level")[: records(entry)]
    found = np.full(table.shape[1], math.nan)
    for level in np.flatnonzero(np.isfinite(table).any(axis=0)):
        found[level] = _first(entry, table[:, level] > 1 - SEEN)
    return found


def inverse_widths(entry: Entry) -> float:
    """Σ 1/n_l over the hidden layers, in which the spread of activations between layers is
    exponential; NaN of convolutions."""
    width, depth = entry.setting("width"), entry.settings.get("network_depth")
    if entry.settings.get("network", "mlp") != "mlp" or width is None or depth is None:
        return math.nan
    widths = layer_widths(width) if isinstance(width, str) else (width,) * int(depth)
    # rounded, so that sums of equal terms in another order are one place on an axis
    return float(f"{math.fsum(1 / n for n in widths):.6g}")


def kappa(entry: Entry) -> float:
    """κ = fan-in · variance / 2 of the weights at the start, by which a layer multiplies the mean
    square of activations. NaN where layers differ in it (glorot and uniform, unless weight_std
    scales them), and where weights are not drawn."""
    scheme, std = entry.settings.get("initialisation"), entry.settings.get("weight_std")
    if scheme is None or entry.settings.get("init_from"):
        return math.nan
    if std is None and scheme in ("glorot", "uniform"):
        return math.nan
    # rounded, so that runs of equal κ are one line: √2² is not quite 2
    return float(f"{weight_law(scheme, 1, 1, std).variance / 2:.6g}")


def _first(entry: Entry, reached: NDArray[np.bool_]) -> float:
    there = np.flatnonzero(reached)
    return float(entry.steps[there[0]]) if len(there) else math.inf


class Derived(NamedTuple):
    """A number of a run, or one for each level."""

    function: Callable[[Entry], Any]
    dims: tuple[str, ...]
    words: str
    """What it is, for the foot of a figure."""
    needs: str = ""
    """The record that it is made from; "" for settings."""

    @property
    def is_start(self) -> bool:
        """Whether it is a step that may not be reached: infinite then."""
        return bool(self.needs)


DERIVED = {
    "start_step": Derived(
        start_step,
        (),
        f"start step: the first record with a hinge loss below {STARTED:g} on the test set",
        "test_loss",
    ),
    "start_step_by_level": Derived(
        start_step_by_level,
        ("level",),
        f"start step of a level: the first record with an error below {SEEN:g} there",
        "test_accuracy_by_level",
    ),
    "inverse_widths": Derived(inverse_widths, (), "Σ 1/n over the widths n of the hidden layers"),
    "kappa": Derived(kappa, (), "κ: fan-in · variance / 2 of the initial weights"),
}
"""Name -> what it is; beside the records and settings of a run."""

DECIDES = {
    "inverse_widths": ("network_depth", "width", "widths"),
    "kappa": ("initialisation", "weight_std"),
}
"""Name -> the settings that it is made from."""


def derived_names(entry: Entry) -> list[str]:
    """Those that a run has."""
    known = entry.trajectory.records
    return [name for name, one in DERIVED.items() if not one.needs or one.needs in known]
