"""``fracsim construct``: the explicit networks of Theorems 1 and 3, built, tried and kept."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.fractals.settings import curve_setting, depth_setting, fractal_setting, seed_setting
from fracsim.networks.file import NETWORK
from fracsim.studies.study import Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings:
    """Which network, and on which points it is tried."""

    fractal: str = fractal_setting()
    fractal_depth: int = depth_setting(5)
    levels: int | None = setting(
        None, "decide K_j for this j, as in Theorem 3", int, low=0, optional="n"
    )
    merge: int = setting(1, "levels s in one fold", int, low=1, high=1000)
    positive_margin: float | None = setting(
        None, "margin γ to build for", float, low=0, high=0.999, optional="what the maps need"
    )
    negative_margin: float | None = setting(
        None, "margin δ to build for", float, low=0, high=0.999, optional="what the maps need"
    )
    count: int = setting(1_000_000, "points on which it is tried", int, low=1, high=1e12)
    curve: str = curve_setting(about="curve of these points")
    seed: int = seed_setting("seed of these points")
    precision: str = setting(
        "float64",
        "arithmetic in which it is tried; it is stored in float64",
        str,
        choices=("float32", "float64"),
    )
    fractal_definition: str | None = None


STUDY = Study(
    name="construct",
    about="Build the explicit network of Theorem 1 or 3, and try it.",
    help="""Build a network that decides FRACTAL, a name (see 'fracsim show') or the path of a TOML
    file: it folds the plane, level by level, onto a single cell.

    2n + 1 hidden layers of at most 5dr units are right on every point that keeps the margins said.
    --levels j leaves the finer levels out, which costs 1 - P(j); --merge s makes the network
    shallower and wider. --precision float32 tries it in the arithmetic of training. The file can be
    drawn (fracsim-plot decision) and trained further (fracsim train --init-from).""",
    settings=Settings,
    variables=NETWORK.variables,
    kind=NETWORK.kind,
    compute="fracsim.studies.construct.compute:compute",
    example=(
        "fracsim construct cantor --fractal-depth 3 -o net.h5",
        "fracsim construct vicsek --fractal-depth 5 --levels 4 --merge 2 -o coarse.h5 --json",
    ),
    needs_output=True,
    unit="points",
    warmup=({"fractal": "cantor1d", "fractal_depth": 1, "count": 100},),
    checks="fracsim.studies.construct.compute:checks",
)
