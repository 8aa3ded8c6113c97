"""What ``fracsim landscape`` finds: the loss on a grid, and the training that crosses it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fracsim.studies.study import Result
from fracsim.text import table

_NEAR = 0.1
"""Loss above the network's own up to which a place counts as flat."""


@dataclass(frozen=True, eq=False)
class Path:
    """A training in the plane of its principal components; S networks."""

    step: np.ndarray
    at: np.ndarray
    """(S, 2)"""
    loss: np.ndarray
    """of the networks themselves (S,)"""
    explained: np.ndarray
    explained_null: np.ndarray


@dataclass(frozen=True, eq=False)
class Landscape(Result):
    """The loss at places a (A,) × b (B,)."""

    about: str
    measured: str
    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    """what each group adds (A, B, J); infinite where it overflows"""
    right: np.ndarray
    share: np.ndarray
    """(J,)"""
    classes: bool
    """whether the sign of the output means something"""
    by_level: bool
    ends: np.ndarray
    """loss of the network, and of that at the other end of a line"""
    form: str = "plane"
    path: Path | None = None
    facts: dict[str, str | int | float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """Mean loss (A, B)."""
        found: np.ndarray = self.loss.sum(axis=2)
        return found

    @property
    def accuracy(self) -> np.ndarray:
        """Share of right signs (A, B)."""
        found: np.ndarray = self.right.sum(axis=2)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """See ``VARIABLES``."""
        found = {"a": self.a, "b": self.b, "loss": self.total}
        if self.classes:
            found["accuracy"] = self.accuracy
        if self.by_level:
            found |= {"level": np.arange(len(self.share)), "share": self.share}
            found["loss_by_level"] = self._of_group(self.loss)
            if self.classes:
                found["accuracy_by_level"] = self._of_group(self.right)
        if (path := self.path) is not None:
            found |= {"snapshot": path.step, "path_a": path.at[:, 0], "path_b": path.at[:, 1]}
            found |= {"path_loss": path.loss, "explained": path.explained}
            found["explained_null"] = path.explained_null
        return found

    def attributes(self) -> dict[str, str | int | float]:
        """The network, and what the loss is of."""
        return {"about": self.about, "measured": self.measured, **self.facts}

    def summary(self) -> dict[str, Any]:
        """Numbers of the whole, then the arrays."""
        total, finite = self.total, np.isfinite(self.total)
        known: dict[str, Any] = {
            **self.attributes(),
            "form": self.form,
            "places": [len(self.a), len(self.b)],
            "loss_at_network": float(self.ends[0]),
            "least_loss": float(total.min()),
            "greatest_loss": float(total[finite].max()) if finite.any() else None,
            "overflows": int((~finite).sum()),
            "flat_share": float((total <= self.ends[0] + _NEAR).mean()),
        }
        if len(self.ends) > 1:
            known |= {"loss_at_other_end": float(self.ends[1]), "barrier": self.barrier}
        shown = {key: _plain(values) for key, values in self.arrays().items()}
        return {**known, **shown}

    @property
    def barrier(self) -> float:
        """Greatest loss between the two ends of a line above the straight line between theirs."""
        between = (self.a >= 0) & (self.a <= 1)
        straight = (1 - self.a) * self.ends[0] + self.a * self.ends[-1]
        rise = (self.total[:, 0] - straight)[between]
        return float(max(rise.max(), 0.0)) if rise.size else 0.0

    def words(self) -> list[str]:
        """The loss in a few lines."""
        lines = [self.about, self.measured, *self._totals()]
        if self.by_level:
            lines += ["", *self._levels()]
        if (path := self.path) is not None:
            rows = [("component", "explains", "of a random walk")]
            pairs = zip(path.explained, path.explained_null, strict=True)
            rows += [(str(i + 1), f"{x:.4f}", f"{null:.4f}") for i, (x, null) in enumerate(pairs)]
            lines += ["", *table(rows)]
        return lines

    def _totals(self) -> list[str]:
        total, facts = self.total, self.summary()
        if self.form != "line":
            greatest = facts["greatest_loss"]
            shown = "none finite" if greatest is None else f"{greatest:.4g}"
            return [
                f"loss {self.ends[0]:.4g}; on {len(self.a)} x {len(self.b)} places from "
                f"{facts['least_loss']:.4g} to {shown}; "
                f"within {_NEAR:g} of the network's own on {facts['flat_share']:.1%}"
            ]
        at = np.unique(np.linspace(0, len(self.a) - 1, 9).round().astype(int))
        rows = [("place", "loss")] + [(f"{self.a[i]:.3g}", f"{total[i, 0]:.4g}") for i in at]
        more = [f"barrier {self.barrier:.4g}"] if len(self.ends) > 1 else []
        return [*table(rows), *more]

    def _levels(self) -> list[str]:
        """Each level's loss where the network is nearest, and at the edge of the grid."""
        losses = self._of_group(self.loss)
        centre = np.abs(self.a).argmin(), np.abs(self.b).argmin()
        edge = np.concatenate([losses[[0, -1]].reshape(-1, len(self.share)), losses[:, 0]])
        rows = [("level", "share", "loss at the network", "mean at the edge")]
        for j, share in enumerate(self.share):
            if share > 0:
                mean = f"{edge[:, j].mean():.4g}"
                rows.append((str(j), f"{share:.4f}", f"{losses[centre][j]:.4g}", mean))
        return list(table(rows))

    def _of_group(self, sums: np.ndarray) -> np.ndarray:
        """Means (A, B, J) on the points of each group; NaN where it has none."""
        found: np.ndarray = np.full(sums.shape, np.nan)
        np.divide(sums, self.share, out=found, where=self.share > 0)
        return found


def _plain(values: np.ndarray) -> list[Any]:
    """Lists for JSON, which knows no infinity and no NaN."""
    if not np.issubdtype(values.dtype, np.floating):
        return list(values.tolist())
    shown = np.where(np.isfinite(values), values, np.nan).astype(object)
    shown[~np.isfinite(values)] = None
    return list(shown.tolist())
