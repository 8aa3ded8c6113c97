"""fracsim: which functions does depth let a ReLU network express, and which can gradient descent
learn?

The public API; everything is loaded when it is first used::

    import fracsim

    cantor = fracsim.load_fractal("cantor")
    points = fracsim.Distribution(cantor, 5, fracsim.parse_curve("1")).sample(100_000, seed=7)
    fracsim.train("run.h5", network_depth=5, width=100, learning_rate=0.001, steps=100_000)
    trajectory = fracsim.open_trajectory("run.h5")
    trajectory.variable("test_accuracy")  # (run, step)
"""

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import Any as _Any

__version__ = "0.1.0"

_HOMES = {
    "Curve": "curves",
    "parse_curve": "curves",
    "Distribution": "distributions",
    "Sample": "distributions",
    "Experiment": "experiments",
    "experiment_names": "experiments",
    "load_experiment": "experiments",
    "make_experiment": "experiments",
    "Fractal": "fractals",
    "fractal_names": "fractals",
    "load_fractal": "fractals",
    "initial_parameters": "networks",
    "split_layers": "networks",
    "merge": "merging",
    "Run": "runs",
    "Construction": "theory.construct",
    "construct": "theory.construct",
    "Verification": "theory.verify",
    "store_network": "theory.verify",
    "verify": "theory.verify",
    "run_sweep": "sweeps",
    "train": "sweeps",
    "GradientStudy": "theory.gradient",
    "RandomNetworks": "theory.gradient",
    "gradient_study": "theory.gradient",
    "Trajectory": "data.reader",
    "open_trajectory": "data.reader",
    "Bounds": "theory.bounds",
    "bounds_of": "theory.bounds",
    "Partition": "theory.regions",
    "SegmentRegions": "theory.regions",
    "boundary_distances": "theory.regions",
    "count_on_segment": "theory.regions",
    "count_on_segments": "theory.regions",
    "partition": "theory.regions",
    "region_bounds": "theory.region_bounds",
    "least_errors": "theory.least_error",
    "FileError": "data.errors",
    "RunError": "errors",
    "UsageError": "errors",
    "get_backend": "kernels.backend",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> _Any:
    if name in _HOMES:
        return getattr(_import_module(f"fracsim.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'fracsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


# In a checkout the rooms lie beside this folder, not inside it; inert in an installed wheel.
_top = _Path(__file__).resolve().parent.parent
if (_top / "pyproject.toml").exists() and (_top / "kernels" / "__init__.py").exists():
    __path__.append(str(_top))
