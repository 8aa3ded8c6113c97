"""``fracsim radial``: functions of the distance, by two hidden layers and by one."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.fractals.settings import seed_setting
from fracsim.networks.file import PARAMS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import label, setting

_OWN = {"pieces": ("depth3",), "knots": ("depth3", "ridge"), "directions": ("ridge", "learnt")}
"""Setting -> the constructions that it is for."""


@dataclass(frozen=True)
class Settings:
    """Which function, in which dimensions, by which construction."""

    profile: str = setting(
        "hat", "hat, cone or osc:ω, as in osc:6pi: the function of the radius", str, argument=True
    )
    dimension: tuple[int, ...] = setting((8,), "dimensions d", int, low=1, high=1000, many=True)
    construction: str = setting(
        "depth3",
        "two hidden layers; or one, of exact ridge averages (cone, or d = 3), or of random units "
        "with learnt outer weights",
        str,
        choices=("depth3", "ridge", "learnt"),
    )
    pieces: int | None = setting(
        None, "pieces m of each square (depth3)", int, low=2, high=100_000, optional="128"
    )
    knots: int | None = setting(
        None,
        "pieces p of the function of the norm (depth3), or q of each half of a ridge function",
        int,
        low=1,
        high=1_000_000,
        optional="2m; a ridge function is not replaced by a spline",
    )
    directions: int | None = setting(
        None, "directions, or random units, m", int, low=1, high=1_000_000, optional="500"
    )
    error: float | None = setting(
        None,
        "relative error to reach; the units that it needs are found by bisection",
        float,
        above=0,
        below=1,
        optional="one network, as the sizes say",
    )
    count: int = setting(20_000, "random points on which it is tried", int, low=100, high=1e7)
    seed: int = seed_setting("seed of points, directions and random units")

    def validate(self) -> None:
        """Raise UsageError for what does not fit together."""
        for key, constructions in _OWN.items():
            if getattr(self, key) is not None and self.construction not in constructions:
                raise UsageError(
                    f"{label(key)} is for {label('construction')} {' or '.join(constructions)}, "
                    f"which is {self.construction} here"
                )
            if getattr(self, key) is not None and self.error is not None and key != "knots":
                raise UsageError(f"{label('error')} finds the sizes; accepted is no {label(key)}")


VARIABLES = (
    PARAMS,
    Variable("dimension", ("dimension",), "<i8", "1", "dimension d of the points"),
    Variable("units", ("dimension",), "<i8", "1", "units of all hidden layers"),
    Variable(
        "relative_error",
        ("dimension",),
        "<f8",
        "1",
        "root mean square error over the standard deviation of the function",
    ),
    Variable("sup_error", ("dimension",), "<f8", "1", "largest error on the points"),
    Variable("size", ("tried",), "<i8", "1", "units of each network that the bisection tried"),
    Variable("size_dimension", ("tried",), "<i8", "1", "its dimension"),
    Variable("size_error", ("tried",), "<f8", "1", "its relative error"),
)

STUDY = Study(
    name="radial",
    about="Approximate a function of the distance by two hidden layers, or by one.",
    help="""Build networks for the function PROFILE of the distance from the origin, on points whose
    radius is uniform on [0, 1], and try them (Safran, Eldan & Shamir 2019).

    depth3 squares each coordinate and takes a function of the sum: dm + p units, error of order d /
    m². ridge averages a function of one coordinate over directions, exact in d = 3 and for the norm
    (cone) in any dimension; learnt fits the outer weights of random units. With --error the least
    size that reaches it is found, in each dimension. A file of one dimension keeps the network
    (fracsim train --init-from).""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.radial.compute:compute",
    example=(
        "fracsim radial hat --dimension 8 --pieces 128 --knots 256 -o net.h5",
        "fracsim radial osc:6pi --dimension 3 --construction ridge --directions 1600",
        "fracsim radial hat --dimension 2,4,8 --error 0.1 -o deep.h5",
    ),
    figure=Drawing(
        "fracsim.studies.radial.figure:draw",
        "Relative error against units, and units needed against the dimension.",
        """From files of 'fracsim radial --error E', a colour for each dimension; give one file of
        each construction.""",
        ("fracsim-plot radial deep.h5 learnt.h5 -o radial.png",),
        most=6,
    ),
    unit="networks",
    warmup=({"profile": "hat", "dimension": (2,), "pieces": 2, "count": 100},),
    checks="fracsim.studies.radial.compute:checks",
)
