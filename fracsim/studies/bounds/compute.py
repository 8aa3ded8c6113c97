"""What ``fracsim bounds`` does, and its numbers as tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fracsim.studies.bounds.bounds import ROUND, Bounds, bounds_of
from fracsim.studies.bounds.declaration import VARIABLES, Settings
from fracsim.studies.study import OnProgress, Result, fractal_of, silent
from fracsim.text import brief, table


@brief
@dataclass(frozen=True, eq=False)
class BoundsFound(Result):
    """The bounds of one distribution."""

    found: Bounds
    notes: Sequence[str] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Those of ``Bounds``."""
        return self.found.arrays()

    def attributes(self) -> dict[str, str | int | float]:
        """Those of ``Bounds``."""
        return {**self.found.attributes()}

    def summary(self) -> dict[str, Any]:
        """All numbers, and what they are about; None where there is nothing to say."""
        found, numbers = self.found, self.found.arrays()
        return {
            "fractal": found.fractal.name,
            "dimension": found.fractal.dimension,
            "maps": found.fractal.maps,
            "fractal_depth": found.fractal_depth,
            "curve": found.curve.name,
            "gap": found.gap,
            "error": found.attributes()["error"],
            **{one.name: numbers.get(one.name) for one in VARIABLES if one.name != "level"},
        }

    def words(self) -> list[str]:
        """The numbers as tables."""
        return _words(self.found)


def compute(settings: Settings, progress: OnProgress = silent) -> BoundsFound:
    """The bounds for all depths and widths of the settings. Raises UsageError."""
    found = bounds_of(
        fractal_of(settings),
        settings.fractal_depth,
        settings.curve,
        gap=settings.gap,
        depths=settings.network_depth,
        widths=settings.width,
        sign_changes=settings.sign_changes,
    )
    return BoundsFound(found, found.notes)


def _words(found: Bounds) -> list[str]:
    fractal = found.fractal
    lines = [
        f"{fractal.name} (d = {fractal.dimension}, r = {fractal.maps}), n = {found.fractal_depth}, "
        f"curve {found.curve.name}, gap {found.gap}",
        "T hidden layers of width k; errors are 0-1 errors, Pr[sign f(x) != y]; the hinge loss is "
        "never less",
        "",
        "Theorem 2: the least width k that a network of T hidden layers without error needs",
        *(
            ["  says nothing of this distribution"]
            if math.isnan(found.least_width[0])
            else _table(
                [
                    ["T", *map(str, found.network_depth)],
                    ["k", *(_shown(value, 2) for value in found.least_width)],
                ]
            )
        ),
        "",
        "Theorem 3: the error 1 - P(j) that some network reaches",
        *_grid(found, found.upper_error),
    ]
    if fractal.dimension == 1:
        lines += [
            "",
            "Theorem 4: the error that every network has at least",
            *_grid(found, found.lower_error),
        ]
    if len(found.sign_changes):
        lines += [
            "",
            "exact least error of any classifier with (k+1)^T sign changes: every network errs as "
            "much",
            *_grid(found, found.least_error),
            "",
            "exact least error with at most m sign changes, and Theorem 4 for m linear pieces",
            *_by_changes(found),
        ]
    return lines


def _grid(found: Bounds, values: np.ndarray) -> list[str]:
    if np.isnan(values).all():
        return ["  says nothing of these T and k"]
    head = ["T \\ k", *map(str, found.width)]
    return _table(
        [
            head,
            *(
                [str(t), *map(_shown, row)]
                for t, row in zip(found.network_depth, values, strict=True)
            ),
        ]
    )


def _by_changes(found: Bounds) -> list[str]:
    """A row for each m, or where they are many for the round ones and the last."""
    rows = [
        [str(m), _shown(exact), _shown(lower)]
        for m, exact, lower in zip(
            found.sign_changes, found.changes_least_error, found.changes_lower_error, strict=True
        )
        if len(found.sign_changes) <= 24 or m in ROUND or m == found.sign_changes[-1]
    ]
    return _table([["m", "exact", "Theorem 4"], *rows])


def _table(rows: list[list[str]], across: int = 14) -> list[str]:
    """Lines of right-aligned columns; more columns than fit a screen continue below."""
    parts = ([[r[0], *r[at : at + across]] for r in rows] for at in range(1, len(rows[0]), across))
    return [line for part in parts for line in table(part, indent="  ")]


def _shown(value: float, digits: int = 4) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}" if value < 1e7 else f"{value:.3g}"
