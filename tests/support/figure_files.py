"""Trajectory files with made-up but plausible numbers, for the tests of the figures: seconds, not
hours."""

from pathlib import Path
from typing import Any

import numpy as np

from fracsim.data.studies import write_study
from fracsim.experiments.experiment import Experiment, make_experiment
from fracsim.experiments.grid import Grid
from fracsim.experiments.shard import make_part
from fracsim.kernels.network.shape import parameter_count
from fracsim.products.product import Product
from fracsim.studies import STUDIES
from fracsim.training.run import Run, shape_of
from fracsim.training.trainer import Record


def experiment_of(crossed: dict[str, list], weights: str = "none", **fixed: Any) -> Experiment:
    """An experiment from a grid of lists and fixed settings."""
    grid = Grid()
    for key, value in fixed.items():
        grid.fix(key, value)
    for key, values in crossed.items():
        grid.cross(key, values)
    return make_experiment(grid, name="made up", weights=weights)


def write_file(
    path: Path,
    experiment: Experiment,
    records: int | None = None,
    finish: str | None = "complete",
    shard: str | None = None,
) -> Path:
    """Write a product as a sweep would, with so many ``records`` after that at step 0; ``records``
    and ``finish`` None leave it as a running sweep leaves it."""
    part = make_part(experiment, shard)
    with Product(part, path, {"backend": "cpu", "device": "none", "threads": 1}) as product:
        for i, run in enumerate(part.runs):
            product.start(i)
            steps = list(run.recorded_steps())
            for step in steps if records is None else steps[: records + 1]:
                product.record(i, made_up_record(run, step))
            if finish == "complete":
                product.end(i, "complete", made_up_parameters(run))
        product.commit()
        if finish:
            product.finish(finish)
    return path


def made_up_record(run: Run, step: int) -> Record:
    """One record: deep, wide and slow runs on coarse curves learn most, coarse levels first; seeds
    scatter."""
    rng = np.random.default_rng(
        [run.seed, step, run.network_depth, run.width, int(run.learning_rate * 1e6)]
    )
    n, t = run.fractal_depth, step / run.steps
    scatter = 0.85 + 0.03 * np.random.default_rng(run.seed).normal()
    skill = (n + 1.5) * (1 - np.exp(-(0.35 * run.network_depth + 0.25) * np.log10(run.width) * 1.1))
    skill *= (
        scatter * (1 - 0.08 * np.log(run.learning_rate / 0.001) ** 2 / 4) * (0.55 + 0.45 * t**0.3)
    )
    level = np.arange(n + 1)
    by_level = 1 / (1 + np.exp(-2.2 * (skill - 0.8 - level))) * 0.98 + 0.01
    by_level = np.clip(by_level + rng.normal(0, 0.006, n + 1), 0, 1)
    by_level[n] = 0.9 + 0.08 * by_level[0]
    p = run.distribution().curve.values(n)
    accuracy = float(0.5 * by_level[n] + np.diff(p) @ by_level[:n])
    gradient = (
        0.3
        * np.exp(-2 * t)
        / np.sqrt(1 + np.arange(run.network_depth + 1))
        * np.exp(rng.normal(0, 0.3))
    )
    return Record(
        step=step,
        quality={
            "train_loss": 2 * (1 - accuracy) * 0.95 if step else np.nan,
            "train_accuracy": min(1.0, accuracy + 0.01) if step else np.nan,
            "test_loss": 2 * (1 - accuracy),
            "test_accuracy": accuracy,
            "test_accuracy_by_level": by_level,
        },
        gradient_norm=gradient,
        wall_time=step * 1e-4,
        params=made_up_parameters(run, step),
        inactive_units=np.linspace(0, 0.25, run.network_depth),
    )


def made_up_parameters(run: Run, step: int | None = None) -> np.ndarray:
    """Random weights (Q,): a decision function with folds; before the last step others, which come
    near."""
    rng = np.random.default_rng([run.seed, run.network_depth, run.width])
    count, scale = parameter_count(shape_of(run)), (2 / run.width) ** 0.5
    params = rng.normal(0, scale, count)
    left = 0.0 if step is None else 1 - step / run.steps
    if left:
        params += left * np.random.default_rng([run.seed, step or 0]).normal(0, scale, count)
    return params.astype(np.float32)


def made_up_study(
    path: Path, zero: bool = False, curves: tuple[str, ...] = ("1", "6"), **facts: Any
) -> Path:
    """A file of ``fracsim gradient`` ; a factor 0.4 per level; on curve 6 every second network
    feels nothing."""
    levels, draws = 6, 40
    scatter = np.linspace(0.5, 2, draws)
    scale = 0.0 if zero else 1.0
    by_level = scale * 0.2 * 0.4 ** np.arange(levels)[:, None] * scatter
    largest = (
        scale
        * np.stack([0.1 * scatter, np.where(np.arange(draws) % 2, 0.0, 0.01) * scatter])[
            : len(curves)
        ]
    )
    arrays = {
        "curve": np.array(curves),
        "level": np.arange(levels),
        "draw": np.arange(draws),
        "max_abs_gradient": largest,
        "loss": np.ones((len(curves), draws)),
        "bound": np.array([1.5, 0.0])[: len(curves)],
        "loss_bound": np.array([0.1, 0.5])[: len(curves)],
        "max_abs_gradient_by_level": by_level + 0.3 * scale,
        "correlation_by_level": by_level,
    }
    if facts.get("samples"):
        arrays["correlation_error_by_level"] = np.full((levels, draws), 0.001)
    attributes = {
        "fractal": "cantor1d",
        "fractal_depth": levels,
        "network_depth": 2,
        "width": 20,
        "bias": 0.1,
        "initialisation": "uniform",
        "seed": 0,
        "samples": 0,
        "note": "",
        **facts,
    }
    write_study(path, STUDIES["gradient"].format, arrays, attributes)
    return path


def made_up_students(path: Path, line: bool = False) -> Path:
    """A file of ``fracsim distil``: six sizes, three methods and an ensemble; on a ``line`` with
    the ceilings of accuracy and R²."""
    methods, sizes = ("labels, hinge", "labels, squared", "teacher", "teacher"), 6
    count = len(methods) * sizes
    place, kind = np.divmod(np.arange(count), len(methods))
    accuracy = 0.6 + 0.05 * place + 0.02 * kind
    taught = kind >= 2
    arrays = {
        "method": np.array(methods)[kind],
        "teachers": np.where(kind == 3, 4, taught),
        "network_depth": 1 + place // 3,
        "width": np.array(["100", "1000", "100-20-100"])[place % 3],
        "train_points": np.full(count, 200_000),
        "learning_rate": np.full(count, 0.01),
        "seeds": np.full(count, 5),
        "accuracy": accuracy,
        "least": accuracy - 0.03,
        "greatest": accuracy + 0.02,
        "deviation": np.full(count, 0.01),
        "agreement": np.where(taught, accuracy, np.nan),
        "r2": np.where(taught, accuracy - 0.3, np.nan),
        "ceiling": np.full(count, 0.97 if line else np.nan),
        "r2_ceiling": np.where(taught & line, 0.95, np.nan),
    }
    write_study(path, STUDIES["distil"].format, arrays, {"students": "d.h5", "notes": "[]"})
    return path
