"""``fracsim kernel-learning``: what kernels of wide networks learn."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.errors import UsageError
from fracsim.fractals.settings import (
    curve_setting,
    depth_setting,
    gap_setting,
    seed_setting,
)
from fracsim.machine.cpus import MOST_THREADS
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import setting, settings_of

RIDGES = tuple(10.0**power for power in range(-12, 0))
KERNELS = ("ntk", "rf", "laplace")
MOST_FILES = 6


@dataclass(frozen=True)
class Settings:
    """Which distribution, kernels and numbers of points."""

    fractal: str | None = setting(
        None,
        "name of a fractal (see 'fracsim show'), or path of its TOML file",
        str,
        argument=True,
        optional="none, with --problem table or images",
    )
    problem: str = setting("fractal", "what is learnt", str, choices=("fractal", "table", "images"))
    table: str | None = setting(
        None,
        "points of --problem table: an .npz with x, y and perhaps group (docs/problems.md)",
        str,
        optional="none",
    )
    images: str | None = setting(
        None,
        "images of --problem images: a folder, an .npz, or digits (docs/problems.md)",
        str,
        optional="none",
    )
    fractal_depth: int = depth_setting(3)
    curve: str = curve_setting()
    gap: str | None = gap_setting()
    kernel: tuple[str, ...] = setting(
        ("ntk",), "ntk: all layers; rf: the last; laplace", str, choices=KERNELS, many=True
    )
    layers: tuple[int, ...] = setting(
        (2, 3, 6),
        "layers L, the output among them: T hidden layers are L = T + 1",
        int,
        low=1,
        high=100,
        many=True,
    )
    scale: float = setting(1.0, "c of laplace, exp(-c |x - y|)", float, above=0, high=1000)
    train_points: tuple[int, ...] = setting(
        (500,), "training points m", int, low=10, high=100_000, many=True
    )
    test_points: int | None = setting(
        None,
        "test points",
        int,
        low=10,
        high=1e7,
        optional="20,000 of a fractal, the rest of a table, all test images",
    )
    validation_points: int | None = setting(
        None,
        "points beside the training points, by which λ is chosen",
        int,
        low=10,
        high=1e6,
        optional="the last fifth of the training points",
    )
    ridge: tuple[float, ...] = setting(
        RIDGES, "λ to choose from by validation", float, above=0, high=1e6, many=True
    )
    flow: bool = setting(False, "gradient flow, too: when is each level learnt?", bool)
    draws: int = setting(1, "draws of points: seeds seed, seed + 1, …", int, low=1, high=1000)
    seed: int = seed_setting("seed of the points")
    threads: int | None = setting(
        None,
        "threads that fill kernel matrices",
        int,
        low=1,
        high=MOST_THREADS,
        optional="all this process may use",
        kept=False,
    )
    fractal_definition: str | None = None

    def validate(self) -> None:
        """Raise UsageError where settings do not fit together."""
        known = settings_of(Settings)
        for key in ("table", "images"):
            given = getattr(self, key) is not None
            if self.problem == key and not given:
                raise UsageError(f"--{key} is missing: {known[key].about}")
            if given and self.problem != key:
                raise UsageError(f"--{key} is of --problem {key}; --problem is {self.problem}")
        if self.problem != "fractal" and self.fractal is not None:
            raise UsageError(f"--problem {self.problem} has no FRACTAL; name one or the other")
        if self.scale != 1.0 and "laplace" not in self.kernel:
            raise UsageError("--scale is of kernel laplace; --kernel has none")

    @property
    def machines(self) -> tuple[tuple[str, int], ...]:
        """(kernel, layers); laplace has no layers and stands once, with 0."""
        return tuple(
            dict.fromkeys(
                (kernel, 0 if kernel == "laplace" else layers)
                for kernel in self.kernel
                for layers in self.layers
            )
        )


VARIABLES = (
    Variable("kernel", ("row",), "str", "1", "kind of kernel"),
    Variable("layers", ("row",), "<i8", "1", "layers L, the output among them (0: laplace)"),
    Variable("train_points", ("row",), "<i8", "1", "training points m"),
    Variable("accuracy", ("row", "draw"), "<f8", "1", "accuracy of kernel ridge regression"),
    Variable(
        "accuracy_by_level",
        ("row", "draw", "level"),
        "<f8",
        "1",
        "accuracy on the test points of one level, group or class (NaN: none)",
    ),
    Variable("ridge", ("row", "draw"), "<f8", "1", "lambda chosen by validation"),
    Variable("control_points", ("size",), "<i8", "1", "training points of the control"),
    Variable(
        "nearest_neighbour", ("size", "draw"), "<f8", "1", "accuracy of the nearest neighbour"
    ),
    Variable("time", ("time",), "<f8", "1", "time t of the gradient flow"),
    Variable("flow_accuracy", ("row", "draw", "time"), "<f8", "1", "accuracy at time t"),
    Variable(
        "level_times",
        ("row", "draw", "level"),
        "<f8",
        "1",
        "time after which more than 0.6 of the level's test points are right (NaN: none)",
    ),
)

STUDY = Study(
    name="kernel-learning",
    about="Learn a fractal by kernels of wide networks of any depth, or watch when.",
    help="""Kernel ridge regression on FRACTAL with the kernels of infinitely wide networks, on
    points lifted to (x, 1); λ is chosen on the last fifth of the training points, then all are
    used, or on --validation-points beside them. The nearest neighbour stands beside as a control.
    --problem table learns the classes of --table, lifted too; --problem images those of --images.

    --flow follows the gradient flow of the squared loss, too: time t_j is when level j (a group of
    a table, a class of images) is learnt. --layers counts the output, L = T + 1 of T hidden
    layers.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.kernel_learning.compute:compute",
    example=(
        "fracsim kernel-learning cantor --fractal-depth 3 --kernel ntk,rf,laplace --layers 2,3,6 "
        "--train-points 500,2000 -o k.h5",
        "fracsim kernel-learning cantor --fractal-depth 4 --layers 2,4 --train-points 2500 --flow "
        "-o flow.h5",
        "fracsim kernel-learning --problem images --images digits --layers 2,3 --train-points 1000 "
        "--test-points 360 --json",
    ),
    figure=Drawing(
        "fracsim.studies.kernel_learning.figure:draw",
        "Accuracy of kernels of every depth by the number of points, and the gradient flow.",
        """Accuracy against training points, a line for each kernel and depth, beside the nearest
        neighbour; where the file has a gradient flow, accuracy against time. Several files stand
        in panels; trained networks of trajectory files are laid over the one that learns the same,
        a line for each depth.""",
        (
            "fracsim-plot kernel-learning k.h5 -o k.png",
            "fracsim-plot kernel-learning curve1.h5 curve6.h5 trained.h5 -o k.png",
        ),
        most=MOST_FILES,
        trajectories=True,
    ),
    unit="kernels",
    warmup=(
        {
            "fractal": "cantor",
            "fractal_depth": 2,
            "layers": (2,),
            "train_points": (20,),
            "test_points": 50,
            "flow": True,
        },
    ),
    checks="fracsim.studies.kernel_learning.compute:checks",
)
