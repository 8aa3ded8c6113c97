"""``fracsim landscape``: the loss around a network, along its training, between two of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.fractals.settings import CURVES
from fracsim.machine.cpus import MOST_THREADS
from fracsim.networks.settings import SCHEMES
from fracsim.studies.study import Drawing, Study
from fracsim.values.grammar import MOST_LAYERS
from fracsim.values.settings import label, setting, settings_of

NORMALISATIONS = ("filter", "layer", "weight", "forward")
RANDOM = ("fractal", "fractal_depth", "network_depth", "width", "initialisation")
"""Keys that describe a random network and what it would learn."""
_OF_FILES = ("run", "snapshot", "to", "trajectory")
_OF_PLANES = ("span", "normalise", "seed")
"""Keys of planes of random directions."""
_OF_LINES = ("range", "count")
MOST_PLACES = 4_000_000
_GRID = re.compile(r"(\d{1,4})(?:x(\d{1,4}))?")
_RANGE = re.compile(r"([^:]+):([^:]+)")


@dataclass(frozen=True)
class Settings:
    """Which network, in which plane or on which line, and on which points."""

    file: str | None = setting(
        None,
        "file of a network",
        str,
        argument=True,
        optional="a random network",
        excludes=RANDOM,
    )
    run: int | None = setting(
        None, "number of the run in FILE", int, low=0, optional="the best one"
    )
    snapshot: int | None = setting(
        None, "which stored weights, from 0", int, low=0, optional="the last"
    )
    to: str | None = setting(
        None,
        "go along the line to the network of this file",
        str,
        metavar="FILE",
        optional="random directions",
        excludes=("trajectory", "grid", *_OF_PLANES),
    )
    range: str | None = setting(
        None,
        "stretch of that line, 0 at FILE and 1 at the other",
        str,
        metavar="LOW:HIGH",
        optional="-0.5:1.5",
    )
    count: int | None = setting(
        None, "places on that line", int, low=2, high=MOST_PLACES, optional="401"
    )
    trajectory: bool = setting(
        False,
        "the plane of the first two principal components of the training (weights at every record)",
        bool,
        excludes=("to", "snapshot", *_OF_PLANES, *_OF_LINES),
    )
    grid: str | None = setting(
        None, "places of the plane, or of a line as in 41", str, metavar="AxB", optional="51x51"
    )
    span: float | None = setting(
        None,
        "the plane reaches from -span to span in each direction",
        float,
        above=0,
        high=1e6,
        optional="1",
    )
    normalise: str | None = setting(
        None,
        "what random directions are scaled by",
        str,
        choices=NORMALISATIONS,
        optional="filter",
    )
    seed: int | None = setting(
        None, "seed of the directions", int, low=0, high=10**18, optional="0"
    )
    by_level: bool = setting(False, "keep the loss of each level's points, too", bool)
    data: str | None = setting(
        None,
        "training points, or the exact mean over all (d = 1, hinge)",
        str,
        choices=("dataset", "population"),
        optional="exact where that can be",
    )
    train_points: int = setting(
        5000, "how many of the training points, the first ones", int, low=1, high=1e8
    )
    loss: str | None = setting(
        None,
        "loss",
        str,
        choices=("hinge", "logistic", "squared"),
        optional="the training's; else hinge",
    )
    precision: str | None = setting(
        None,
        "arithmetic",
        str,
        choices=("float32", "float64"),
        optional="the training's; else float64",
    )
    curve: str | None = setting(
        None, f"approximation curve: {CURVES}", str, optional="the training's; else 1"
    )
    fractal: str | None = setting(
        None, "fractal that a random network would learn", str, optional="cantor"
    )
    fractal_depth: int | None = setting(None, "its depth n", int, low=1, high=1000, optional="3")
    network_depth: int | None = setting(
        None, "hidden layers T of the random network", int, low=0, high=MOST_LAYERS, optional="5"
    )
    width: int | str | None = setting(
        None, "width of each of them", int, low=1, high=100_000, layers=True, optional="50"
    )
    initialisation: str | None = setting(
        None, "its weights", str, option="--init", metavar=SCHEMES, optional="paper"
    )
    threads: int | None = setting(
        None,
        "threads",
        int,
        low=1,
        high=MOST_THREADS,
        optional="all this process may use",
        kept=False,
    )
    checkpoint: str | None = setting(
        None,
        "file in which finished places are kept, and from which the same command goes on",
        str,
        metavar="FILE",
        optional="none",
        kept=False,
    )

    @property
    def places(self) -> tuple[int, int]:
        """Places along the first and the second direction."""
        if self.to is not None:
            return self.count or 401, 1
        found = _GRID.fullmatch(self.grid or "51x51")
        return (int(found[1]), int(found[2] or 1)) if found else (0, 0)

    @property
    def stretch(self) -> tuple[float, float]:
        """Ends of the line to another network. Raises ValueError."""
        found = _RANGE.fullmatch(self.range or "-0.5:1.5")
        if found is None:
            raise ValueError(self.range)
        return float(found[1]), float(found[2])

    def validate(self) -> None:
        """Raise UsageError for what does not fit together."""
        self._validate_form()
        first, second = self.places
        named = "count" if self.to is not None else "grid"
        if not (first > 1 and second > 0 and first * second <= MOST_PLACES):
            raise UsageError(
                f"{label(named)} is '{getattr(self, named)}'; accepted is 51x51 or 41, at least 2 "
                f"places and at most {MOST_PLACES:,}"
            )
        try:
            low, high = self.stretch
        except ValueError:
            low, high = 1.0, 0.0
        if not -1e6 <= low < high <= 1e6:
            raise UsageError(
                f"{label('range')} is '{self.range}'; accepted is LOW:HIGH, two numbers of "
                "which the second is larger, as in -0.5:1.5"
            )

    def _validate_form(self) -> None:
        """Keys of another form are refused."""
        if self.to is not None and self.trajectory:
            raise UsageError("--to and --trajectory exclude each other; accepted is one")
        unused: dict[str, tuple[str, ...]] = {
            "a plane in random directions": () if self.to or self.trajectory else _OF_LINES,
            "a line to another network (--to)": ("grid", *_OF_PLANES) if self.to else (),
            "a training (--trajectory)": ("snapshot", *_OF_PLANES, *_OF_LINES)
            if self.trajectory
            else (),
            "a network of FILE": RANDOM if self.file is not None else (),
            "a random network": () if self.file is not None else _OF_FILES,
        }
        for what, keys in unused.items():
            for key in keys:
                if getattr(self, key) not in (None, False):
                    named = label(key, settings_of(Settings)[key])
                    raise UsageError(f"{named} means nothing for {what}")


def _of_places(name: str, about: str) -> Variable:
    return Variable(name, ("a", "b"), "<f8", "1", about)


def _of_snapshots(name: str, about: str) -> Variable:
    return Variable(name, ("snapshot",), "<f8", "1", about)


VARIABLES = (
    Variable("a", ("a",), "<f8", "1", "places along the first direction; 0 is the network"),
    Variable("b", ("b",), "<f8", "1", "places along the second direction"),
    _of_places("loss", "mean loss (inf: it overflows)"),
    _of_places("accuracy", "share of the points on which the sign is right"),
    Variable(
        "loss_by_level",
        ("a", "b", "level"),
        "<f8",
        "1",
        "mean loss on the points of the level (NaN: none)",
    ),
    Variable("accuracy_by_level", ("a", "b", "level"), "<f8", "1", "accuracy on them"),
    Variable("level", ("level",), "<i8", "1", "level(x): negatives at j < n, positives at j = n"),
    Variable("share", ("level",), "<f8", "1", "share of the points that are of the level"),
    Variable("snapshot", ("snapshot",), "<i8", "1", "optimiser steps done"),
    _of_snapshots("path_a", "where the training is, along the first direction"),
    _of_snapshots("path_b", "where the training is, along the second direction"),
    _of_snapshots("path_loss", "loss of the network itself, which lies off the plane"),
    Variable(
        "explained", ("component",), "<f8", "1", "share of the variance of a principal component"
    ),
    Variable("explained_null", ("component",), "<f8", "1", "the same of a long random walk"),
    Variable("done_loss", ("place", "group"), "<f8", "1", "losses of finished places (NaN: not)"),
    Variable("done_right", ("place", "group"), "<f8", "1", "shares of right signs there"),
)

STUDY = Study(
    name="landscape",
    about="Look at the loss around a network, along its training, or between two networks.",
    help="""The loss of the network of FILE, or of a random one, in a plane of its parameters: two
    random directions scaled filter by filter (Li et al. 2018), by layers, by weights, or forward,
    which no rescaling of a unit changes.

    --trajectory takes the plane of the first two principal components of a training, and tells what
    they would explain of a random walk. --to goes along the line to another network. In one
    dimension the hinge loss is exact, over the whole distribution. --by-level parts the loss by the
    levels of the fractal.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.landscape.compute:compute",
    example=(
        "fracsim landscape run.h5 --grid 51x51 --span 1 --normalise filter --by-level -o land.h5",
        "fracsim landscape run.h5 --trajectory -o path.h5",
        "fracsim landscape a.h5 --to b.h5 --range -0.5:1.5 --count 401 -o line.h5",
    ),
    figure=Drawing(
        "fracsim.studies.landscape.figure:draw",
        "The loss in a plane of parameters, along a training, or on a line.",
        """Contours of the loss, of each level too where the file has them; the training in its
        plane, with what the components explain beside a random walk; curves where it is a line, of
        several files in one figure.""",
        ("fracsim-plot landscape land.h5 -o land.png",),
        most=6,
    ),
    forms={
        "plane": ("a", "b", "loss"),
        "line": ("a", "b", "loss"),
        "trajectory": ("a", "b", "loss", "snapshot", "path_a", "path_b", "explained"),
        "partial": ("done_loss", "done_right"),
    },
    unit="places",
    warmup=(
        {"grid": "3x3", "network_depth": 2, "width": 8, "train_points": 50, "by_level": True},
        {"grid": "3", "network_depth": 1, "width": 8, "train_points": 9, "precision": "float64"},
        {"grid": "3", "fractal": "cantor1d", "network_depth": 2, "width": 8, "by_level": True},
    ),
    checks="fracsim.studies.landscape.compute:checks",
)
