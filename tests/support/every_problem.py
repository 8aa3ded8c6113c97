"""A small experiment on every problem there is, for what must hold of each."""

from images import images, small_images, write_npz
from learnt import experiment_of, radial, table, write_table
from small_experiments import small

from fracsim.sweeps.sweep import train

_AXES = {"network_depth": (1, 2), "seed": (0, 7)}
_SHELLS = {"fractal": "cantor1d", "fractal_depth": 2}
_POINTS = {"train_points": 200, "test_points": 100}


def _teachers(folder, **fixed):
    """The files of two networks, as ``teacher`` takes them."""
    paths = [folder / f"teacher{seed}.h5" for seed in (3, 4)]
    for seed, path in zip((3, 4), paths, strict=True):
        train(path, **{**_POINTS, **fixed}, steps=20, record_every=20, width=4, seed=seed)
    return "+".join(map(str, paths))


def _imitation(folder, weights):
    axes = {"transfer": ("fresh", "training", "uniform"), "seed": (0, 7)}
    teachers = _teachers(folder, **_SHELLS)
    return experiment_of("teacher", weights, axes, teacher=teachers, **_SHELLS, **_POINTS)


def _imitation_of_radial(folder, weights):
    points = {"dimension": 3, **_POINTS}
    teachers = _teachers(folder, problem="radial", loss="squared", **points)
    axes = {**_AXES, "transfer": ("fresh", "training")}
    return experiment_of("teacher", weights, axes, teacher=teachers, points_of="radial", **points)


def _shells(folder, weights):
    keys = {"dimension": 3, "loss": "hinge", **_SHELLS, **_POINTS}
    return experiment_of("radial-fractal", weights, _AXES, **keys)


def _images(folder, weights):
    path = write_npz(folder / "i.npz", small_images(60), small_images(30, seed=1))
    return images(path, weights, _AXES)


CASES = {
    "fractal": lambda folder, weights: small(weights, _AXES),
    "radial": lambda folder, weights: radial(weights, _AXES),
    "table": lambda folder, weights: table(
        write_table(folder / "t.npz", real=True, groups=3), weights, _AXES
    ),
    "product": lambda folder, weights: experiment_of("product", weights, _AXES, **_POINTS),
    "radial-fractal": _shells,
    "teacher": _imitation,
    "teacher of radial": _imitation_of_radial,
    "images": _images,
}
"""Name -> what makes an experiment from a folder for its files and the weights to keep."""


def experiment_on(case, folder, weights="final"):
    """Four to eight runs of a case."""
    return CASES[case](folder, weights)
