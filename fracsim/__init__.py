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
    "Curve": "fractals.curve",
    "parse_curve": "fractals.curve",
    "Distribution": "fractals.distribution",
    "Sample": "fractals.distribution",
    "Experiment": "experiments.experiment",
    "experiment_names": "experiments.experiment",
    "load_experiment": "experiments.experiment",
    "make_experiment": "experiments.experiment",
    "Fractal": "fractals.fractal",
    "fractal_names": "fractals.fractal",
    "load_fractal": "fractals.fractal",
    "initial_parameters": "networks.initial",
    "split_layers": "networks.initial",
    "merge": "products.merge",
    "Runs": "products.runs",
    "load_runs": "products.runs",
    "Point": "products.selection",
    "Run": "training.run",
    "Construction": "studies.construct.construct",
    "construct": "studies.construct.construct",
    "Verification": "studies.construct.verify",
    "store_network": "studies.construct.compute",
    "verify": "studies.construct.verify",
    "run_sweep": "sweeps.sweep",
    "train": "sweeps.sweep",
    "GradientStudy": "studies.gradient.gradient",
    "RandomNetworks": "studies.gradient.gradient",
    "gradient_study": "studies.gradient.gradient",
    "Trajectory": "data.trajectory",
    "open_trajectory": "data.reader",
    "STUDIES": "studies",
    "open_study": "studies",
    "Bounds": "studies.bounds.bounds",
    "bounds_of": "studies.bounds.bounds",
    "Partition": "studies.regions.regions",
    "SegmentRegions": "studies.regions.regions",
    "boundary_distances": "studies.regions.regions",
    "count_on_segment": "studies.regions.regions",
    "count_on_segments": "studies.regions.regions",
    "partition": "studies.regions.regions",
    "region_bounds": "studies.regions.bounds",
    "least_errors": "studies.bounds.least_error",
    "FileError": "data.errors",
    "RunError": "errors",
    "UsageError": "errors",
    "get_backend": "machine.backends",
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
