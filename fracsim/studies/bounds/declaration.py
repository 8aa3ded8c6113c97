"""``fracsim bounds``: what Theorems 2, 3 and 4 say of networks, and the exact least error on the
line."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.fractals.settings import curve_setting, depth_setting, fractal_setting, gap_setting
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting


@dataclass(frozen=True)
class Settings:
    """Which distribution, and which networks."""

    fractal: str = fractal_setting()
    fractal_depth: int = depth_setting(5)
    curve: str = curve_setting()
    gap: str | None = gap_setting()
    network_depth: tuple[int, ...] | None = setting(
        None, "hidden layers T", int, low=1, high=10_000, many=True, optional="1:2n+1, at most 41"
    )
    width: tuple[int, ...] = setting(
        (10, 20, 50, 100, 200, 400), "widths k", int, low=1, high=1e9, many=True
    )
    sign_changes: tuple[int, ...] | None = setting(
        None,
        "numbers m of sign changes, d = 1",
        int,
        low=1,
        high=1e9,
        many=True,
        optional="enough to draw",
    )
    fractal_definition: str | None = None


VARIABLES = (
    Variable("network_depth", ("network_depth",), "<i8", "1", "hidden layers T"),
    Variable("width", ("width",), "<i8", "1", "width k of each hidden layer"),
    Variable("level", ("level",), "<i8", "1", "level j, 0..n"),
    Variable(
        "sign_changes",
        ("sign_changes",),
        "<i8",
        "1",
        "sign changes m of a classifier on the line",
    ),
    Variable("curve_values", ("level",), "<f8", "1", "approximation curve P(j)"),
    Variable(
        "least_width",
        ("network_depth",),
        "<f8",
        "1",
        "Theorem 2: width that a network without error needs (NaN: the theorem says nothing)",
    ),
    Variable(
        "upper_error",
        ("network_depth", "width"),
        "<f8",
        "1",
        "Theorem 3: a network with this 0-1 error exists (NaN: too narrow for one level)",
    ),
    Variable(
        "upper_level",
        ("network_depth", "width"),
        "<f8",
        "1",
        "level j that this network resolves",
    ),
    Variable(
        "upper_merge",
        ("network_depth", "width"),
        "<f8",
        "1",
        "levels s that it merges into one step",
    ),
    Variable(
        "lower_error",
        ("network_depth", "width"),
        "<f8",
        "1",
        "Theorem 4, d = 1: no network has a smaller 0-1 error (NaN: the theorem says nothing)",
    ),
    Variable("lower_level", ("network_depth", "width"), "<f8", "1", "level j of this bound"),
    Variable(
        "least_error",
        ("network_depth", "width"),
        "<f8",
        "1",
        "d = 1: exact least 0-1 error with (k + 1)^T sign changes (NaN: not computed)",
    ),
    Variable(
        "changes_least_error",
        ("sign_changes",),
        "<f8",
        "1",
        "exact least 0-1 error of any classifier with at most m sign changes",
    ),
    Variable(
        "changes_lower_error",
        ("sign_changes",),
        "<f8",
        "1",
        "Theorem 4 for m linear pieces: T = 1, k = m - 1 (NaN: the theorem says nothing)",
    ),
)

STUDY = Study(
    name="bounds",
    about="Tell what the paper's theorems say of networks of given depths and widths.",
    help="""Tell what the theorems say of networks with T hidden layers of width k on FRACTAL, a
    name or a TOML file.

    Theorem 2: the least width that a network without error needs. Theorem 3: an error that some
    network reaches. Theorem 4 (d = 1): an error that every network has at least. In d = 1 also the
    exact least error of any classifier with at most m sign changes; a network has at most (k+1)^T.
    Errors are 0-1 errors, Pr[sign f(x) != y], on the whole distribution; the hinge loss is never
    less. Where a theorem says nothing, there is no number (- or null).""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.bounds.compute:compute",
    example=(
        "fracsim bounds cantor --fractal-depth 5 --curve 1",
        "fracsim bounds cantor1d --fractal-depth 10 --curve 6 --depth 1:3 --width 10,100 -o "
        "bounds.h5",
        "fracsim-plot bounds bounds.h5 -o bounds.png",
    ),
    figure=Drawing(
        "fracsim.studies.bounds.figure:draw",
        "Bounds on the error by depth and width, and trained networks.",
        """Theorems 2, 3 and 4 against depth and width, from a file of 'fracsim bounds';
        trajectories are laid over.""",
        (
            "fracsim-plot bounds bounds.h5 -o bounds.pdf",
            "fracsim-plot bounds bounds.h5 sweep.h5 --where learning_rate=0.001 -o bounds.pdf",
        ),
        trajectories=True,
    ),
    warmup=({"fractal": "cantor1d", "fractal_depth": 1, "curve": "1"},),
)
