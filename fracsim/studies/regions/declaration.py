"""``fracsim regions``: linear regions of a stored or random network, counted exactly in a window or
along lines."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.machine.cpus import MOST_THREADS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import check_depth, label, setting, settings_of

RANDOM = ("inputs", "depth", "width", "init", "bias", "bias_std")
"""Settings that describe a random network."""
STORED = ("file", "run", "snapshot")
"""Settings that name a stored one."""


@dataclass(frozen=True)
class Settings:
    """Which network, and where its regions are counted."""

    file: str | None = setting(
        None,
        "file of a network",
        str,
        argument=True,
        optional="a random network",
        excludes=("random", *RANDOM),
    )
    run: int | None = setting(
        None, "number of the run in FILE", int, low=0, optional="the best one"
    )
    snapshot: str | None = setting(
        None,
        "which stored weights; all: through training",
        str,
        metavar="NUMBER|all",
        optional="last",
    )
    random: bool = setting(False, "a random network instead of FILE", bool, excludes=STORED)
    inputs: int | None = setting(
        None, "its input dimension d", int, low=1, high=10_000, optional="2"
    )
    depth: int | None = setting(None, "its hidden layers T", int, low=0, high=1000, optional="3")
    width: int | str | None = setting(
        None, "its units k in each layer", int, low=1, high=100_000, layers=True, optional="64"
    )
    init: str | None = setting(
        None, "its initialisation: paper, he, he-uniform, glorot or uniform", str, optional="he"
    )
    bias: float | None = setting(
        None,
        "its bias, or the mean of its biases",
        float,
        low=-1e6,
        high=1e6,
        optional="the initialisation's",
    )
    bias_std: float | None = setting(
        None,
        "standard deviation of normal biases",
        float,
        low=0,
        high=1e6,
        optional="all biases are equal",
    )
    window: tuple[float, ...] | None = setting(
        None,
        "interval, rectangle or box",
        float,
        coordinates=True,
        metavar="LOW,HIGH,…",
        optional="the base",
    )
    segment: tuple[float, ...] | None = setting(
        None,
        "count on one segment: 2d coordinates",
        float,
        coordinates=True,
        metavar="START,END",
        optional="none",
        excludes=("lines",),
    )
    lines: int | None = setting(
        None,
        "count on so many random segments between points of the window",
        int,
        low=1,
        high=1e8,
        optional="none",
        excludes=("segment",),
    )
    along: str = setting(
        "window",
        "where segments lie: in the window, from the centres of the fractal's cells across their "
        "borders, level by level, or short ones anywhere, by their distance to the cells",
        str,
        choices=("window", "cells", "distance"),
    )
    draws: int | None = setting(
        None,
        "count in so many random networks; network i is that of seed + i",
        int,
        low=2,
        high=1e6,
        optional="one",
        excludes=STORED,
    )
    points: int = setting(
        1000,
        "random points whose distance to the nearest boundary is measured",
        int,
        low=1,
        high=1e8,
    )
    seed: int = setting(
        0, "seed of the random network, lines and points", int, low=0, high=2**64 - 1
    )
    threads: int | None = setting(
        None,
        "threads for --lines and --draws",
        int,
        low=1,
        high=MOST_THREADS,
        optional="all this process may use",
        kept=False,
    )

    def validate(self) -> None:
        """Raise UsageError where the settings name no network, or two, or two places."""
        if self.random == (self.file is not None):
            both = ", not both" if self.random else ""
            raise UsageError(f"give either a FILE with a network or --random{both}")
        other, needs = (STORED[1:], "a FILE") if self.random else (RANDOM, "--random")
        for key in other:
            if getattr(self, key) is not None:
                named = label(key, settings_of(Settings)[key])
                what = "a stored network" if self.random else "a random network"
                raise UsageError(f"{named} describes {what}; it needs {needs}")
        if isinstance(self.width, str) and self.depth is not None:
            check_depth(self.width, self.depth)
        if self.segment is not None and self.lines is not None:
            raise UsageError("give --segment or --lines, not both")
        if self.draws is not None and not self.random:
            raise UsageError("draws (--draws) describes random networks; it needs --random")
        if self.along != "window" and (self.random or self.segment is not None):
            raise UsageError(
                f"--along {self.along}: takes a FILE trained on a fractal, and no --segment"
            )


VARIABLES = (
    Variable("vertices", ("vertex", "dim"), "<f8", "1", "coordinates of the corners of regions"),
    Variable(
        "corners",
        ("corner",),
        "<i4",
        "1",
        "vertices of the regions, region after region, anticlockwise",
    ),
    Variable("corner_count", ("region",), "<i4", "1", "how many corners the region has"),
    Variable("gradient", ("region", "dim"), "<f8", "1", "gradient of f on the region"),
    Variable("area", ("region",), "<f8", "1", "area of the region"),
    Variable("volume", ("region",), "<f8", "1", "volume of the region"),
    Variable(
        "sign",
        ("region",),
        "|i1",
        "1",
        "sign of f on the region, 0 where f = 0 runs through it",
    ),
    Variable(
        "end",
        ("end",),
        "<f8",
        "1",
        "t at the ends of regions along the segment, start at 0, end at 1",
    ),
    Variable(
        "crossed_layer",
        ("end",),
        "<i4",
        "1",
        "hidden layer, from 1, of the unit that changes sign there (0: none)",
    ),
    Variable(
        "crossed_unit",
        ("end",),
        "<i4",
        "1",
        "unit of the layer, from 0, that changes sign there (-1: none)",
    ),
    Variable("slope", ("region",), "<f8", "1", "df/dt on the region"),
    Variable(
        "offset",
        ("region",),
        "<f8",
        "1",
        "f at the origin (plane), at t = 0 (segment), of the region's f",
    ),
    Variable(
        "piece",
        ("region",),
        "<i8",
        "1",
        "number of the linear piece that the region belongs to",
    ),
    Variable("start", ("segment", "dim"), "<f8", "1", "where the segment starts"),
    Variable("stop", ("segment", "dim"), "<f8", "1", "where the segment ends"),
    Variable("segment_regions", ("segment",), "<i8", "1", "activation regions on the segment"),
    Variable("segment_pieces", ("segment",), "<i8", "1", "linear pieces on the segment"),
    Variable("place", ("point", "dim"), "<f8", "1", "random points of the window"),
    Variable(
        "distance",
        ("point",),
        "<f8",
        "1",
        "distance from the point to the nearest boundary of a region",
    ),
    Variable(
        "snapshot",
        ("snapshot",),
        "<i8",
        "1",
        "optimiser steps done when the weights were stored",
    ),
    Variable(
        "activation_regions",
        ("snapshot",),
        "<i8",
        "1",
        "activation regions (over all segments)",
    ),
    Variable("linear_pieces", ("snapshot",), "<i8", "1", "linear pieces (over all segments)"),
    Variable(
        "mean_distance",
        ("snapshot",),
        "<f8",
        "1",
        "mean distance from a random point to a boundary",
    ),
    Variable("test_accuracy", ("snapshot",), "<f8", "1", "accuracy on the test set"),
    Variable("draw_regions", ("draw",), "<f8", "1", "activation regions of a random network"),
    Variable("draw_pieces", ("draw",), "<f8", "1", "linear pieces of a random network"),
    Variable(
        "draw_distance",
        ("draw",),
        "<f8",
        "1",
        "mean distance from points of its own to the nearest boundary",
    ),
    Variable("layer", ("layer",), "<i8", "1", "hidden layer, from 1"),
    Variable("switches", ("layer",), "<f8", "1", "units of the layer that switch, mean over draws"),
    Variable("switches_error", ("layer",), "<f8", "1", "standard error of that mean"),
    Variable("switches_expected", ("layer",), "<f8", "1", "the mean expected"),
    Variable("level", ("level",), "<i8", "1", "level j of the cells that segments start in"),
    Variable(
        "nearness",
        ("nearness",),
        "<f8",
        "1",
        "distance to the nearest border of a cell over the cell's side, negative inside cells",
    ),
    Variable(
        "density_by_distance",
        ("snapshot", "level", "nearness"),
        "<f8",
        "1",
        "length of boundaries per unit area (d = 1: how many per unit length) at that distance",
    ),
    Variable(
        "density_error",
        ("snapshot", "level", "nearness"),
        "<f8",
        "1",
        "standard error of density_by_distance",
    ),
    Variable("density", ("snapshot",), "<f8", "1", "the same anywhere in the window"),
    Variable(
        "rate_by_level",
        ("snapshot", "level"),
        "<f8",
        "1",
        "breakpoints per unit length from cells' centres across their borders",
    ),
    Variable(
        "rate", ("snapshot",), "<f8", "1", "breakpoints per unit length on segments of the window"
    ),
)

STUDY = Study(
    name="regions",
    about="Count the linear regions of a network exactly.",
    help="""Count the linear regions of the network in FILE, or of a random one, and set them beside
    the known bounds.

    Networks with 2 inputs are counted in a window of the plane, with 3 in a box, with 1 on an
    interval, with any number along a segment or many. Activation regions: the same units are
    active. Linear pieces: neighbours with the same affine function are one. --along distance: the
    density of boundaries by the distance to the cells of the fractal.""",
    settings=Settings,
    variables=VARIABLES,
    forms={
        "draws": ("draw_regions", "draw_pieces", "draw_distance"),
        "levels": ("snapshot", "level", "rate_by_level", "rate"),
        "distances": ("snapshot", "level", "nearness", "density_by_distance", "density"),
        "training": ("snapshot", "activation_regions", "linear_pieces", "test_accuracy"),
        "plane": ("vertices", "corners", "corner_count", "gradient", "offset"),
        "box": ("gradient", "offset", "volume", "piece", "distance"),
        "segment": ("end", "slope", "offset", "start", "stop", "crossed_layer"),
        "lines": ("start", "stop", "segment_regions", "distance"),
    },
    compute="fracsim.studies.regions.compute:compute",
    example=(
        "fracsim regions net.h5 --window -1,1,-1,1",
        "fracsim regions --random --inputs 2 --depth 3 --width 64 --bias-std 0.5 -o regions.h5",
        "fracsim regions run.h5 --snapshot all -o training.h5",
        "fracsim regions run.h5 --snapshot all --along cells -o levels.h5",
        "fracsim regions run.h5 --snapshot all --along distance -o distance.h5",
        "fracsim regions --random --depth 3 --width 32 --bias-std 0.1 --draws 24",
        "fracsim regions --random --inputs 3 --depth 3 --width 20 --bias-std 0.1",
        "fracsim regions --random --inputs 10 --depth 5 --width 100 --bias-std 0.5 --lines 1e5",
    ),
    figure=Drawing(
        "fracsim.studies.regions.figure:draw",
        "The linear regions that `fracsim regions` counted.",
        """The partition of the plane with the line f = 0 and the fractal's cells, f along a segment
        with its breakpoints, breakpoints of random segments, or counts through training.""",
        ("fracsim-plot regions regions.h5 -o regions.png",),
    ),
    unit="networks",
    warmup=(
        {"random": True, "depth": 2, "width": 8, "bias_std": 0.5, "points": 2},
        {"random": True, "depth": 2, "width": 8, "segment": (-1.0, -1.0, 1.0, 1.0), "points": 2},
        {"random": True, "depth": 2, "width": 8, "bias_std": 0.5, "lines": 2, "points": 2},
        {"random": True, "depth": 2, "width": 8, "bias_std": 0.5, "draws": 2, "points": 2},
        {"random": True, "depth": 2, "width": 4, "inputs": 3, "bias_std": 0.5, "points": 2},
    ),
    checks="fracsim.studies.regions.compute:checks",
)
