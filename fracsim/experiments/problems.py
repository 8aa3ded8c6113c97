"""What the runs of a grid learn: which of its keys mean something to which run, what the problems
fill in, and the files of points that they read, pinned and checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fracsim.errors import UsageError
from fracsim.experiments.grid import Grid
from fracsim.problems.problem import CLASS_LOSS, REAL_LOSSES, Problem
from fracsim.problems.registry import PROBLEM_KEYS, PROBLEMS, foreign_keys, refuse_foreign
from fracsim.problems.table import pinned_path
from fracsim.problems.teacher import TeacherProblem, files_of
from fracsim.training.run import SETTINGS, WHERE_SET, Run, problem_of, with_depth
from fracsim.values.settings import label


def _values(grid: Grid, key: str) -> tuple[Any, ...]:
    """The values of a key of a grid, or its default."""
    for axes in (grid.crossed, *grid.zipped):
        if key in axes:
            return axes[key]
    return (grid.fixed.get(key, getattr(Run, key)),)


def _kinds(grid: Grid) -> list[type[Problem]]:
    """The problems of a grid, those there are; an unknown one is refused with its run."""
    return [PROBLEMS[name] for name in _values(grid, "problem") if name in PROBLEMS]


def usable(grid: Grid) -> set[str]:
    """The keys that mean something to some run; ``problem`` and those of ``WHERE_SET`` only where
    they are not the default: what was there before them stays as it was."""
    taken = {key for kind in _kinds(grid) for key in kind.keys(grid.fixed)}
    plain = {key for key in ("problem", *WHERE_SET) if _values(grid, key) == (getattr(Run, key),)}
    return {key for key in SETTINGS if key not in PROBLEM_KEYS or key in taken} - plain


def default_of(grid: Grid, key: str) -> Any:
    """The default of a key: that of the grid's problems that take it, where they agree."""
    takers = [kind for kind in _kinds(grid) if key in kind.keys(grid.fixed)]
    found = {kind.defaults.get(key, getattr(Run, key)) for kind in takers}
    return found.pop() if len(found) == 1 else getattr(Run, key)


def open_keys(grid: Grid) -> set[str]:
    """The keys that a problem of the grid fills in, run by run."""
    return {key for kind in _kinds(grid) for key in kind.open_keys}


def refuse_unused(grid: Grid) -> None:
    """Raise UsageError where a key belongs to a problem that no run has."""
    used = {*usable(grid), "problem", *WHERE_SET}
    for key in (*grid.fixed, *grid.varied):
        if key not in used and _kinds(grid):
            raise refuse_foreign(key, " and ".join(kind.name for kind in _kinds(grid)))
    if _values(grid, "problem") == (Run.problem,):
        grid.fixed.pop("problem", None)  # said or not, it is the same experiment


def applicable(varied: Collection[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of one run of a grid. A key that is the same for all runs is left out where it
    is another problem's; one that varies must mean something to every run, or raises UsageError."""
    name = settings.get("problem", Run.problem)
    foreign = foreign_keys(name, settings) if name in PROBLEMS else ()
    for key in foreign:
        if key in varied:
            raise refuse_foreign(key, name)
    return {key: value for key, value in settings.items() if key not in foreign}


def resolved_run(
    given: Mapping[str, Any],
    definitions: Mapping[str, str],
    facts: Mapping[str, str],
    old_points: bool = False,
) -> Run:
    """The run of these settings with all that they leave open, checked. Raises UsageError.

    ``definitions``: the maps of fractals by name, ``facts``: what is known of files of points by
    the value of their key; both as JSON."""
    run = Run(**with_depth(given))  # the grid has read every value
    if run.problem not in PROBLEMS:
        run.validate()
    kind, settings = PROBLEMS[run.problem], vars(run)
    known: dict[str, Any] = {"old_points": old_points}
    if "fractal" in kind.keys(settings):
        known["fractal_definition"] = definitions[run.fractal]
    if kind.source_key and (source := settings[kind.source_key]) is not None:
        known["problem_facts"] = facts[source]
    filled = kind.complete({**settings, **known}, given)
    if run.schedule == "cosine" and run.schedule_period is None:
        filled["schedule_period"] = run.steps
    run = dataclasses.replace(run, **known, **filled)
    run.validate()
    return run


def pin_sources(grid: Grid) -> dict[str, dict[str, Any]]:
    """Pin the files of points of a grid to what they hold; what is known of each, by its new name.

    Raises UsageError where a file cannot be used, FileError where it is no longer the pinned
    one."""
    sources: dict[str, dict[str, Any]] = {}

    def pinned(kind: type[Problem], text: str) -> str:
        name, facts = kind.look(text)
        sources[name] = facts
        return name

    for kind in _kinds(grid):
        key = kind.source_key
        if not key:
            continue
        if grid.fixed.get(key) is not None:
            grid.fixed[key] = pinned(kind, grid.fixed[key])
        for axes in (grid.crossed, *grid.zipped):
            if key in axes:
                axes[key] = tuple(pinned(kind, text) for text in axes[key])
    return sources


def check_sources(runs: Iterable[Run]) -> None:
    """Raise UsageError or FileError where a file of points is gone or no longer the pinned one."""
    for name, text in dict.fromkeys(_sources(runs)):
        PROBLEMS[name].look(text)


def files_read(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """(key, path) of every file that runs are made from, without its digest."""
    named = {(key, text) for run in runs for key, text in _named(run) if text is not None}
    for key, text in sorted(named):
        for one in files_of(text) if key == TeacherProblem.source_key else [text]:
            yield key, pinned_path(one)[0]


def _named(run: Run) -> Iterator[tuple[str, str | None]]:
    yield "init_from", run.init_from
    if key := PROBLEMS[run.problem].source_key:
        yield key, getattr(run, key)


def _sources(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    for run in runs:
        key = PROBLEMS[run.problem].source_key
        if key and getattr(run, key) is not None:
            yield run.problem, getattr(run, key)


def check_problems(runs: Iterable[Run]) -> None:
    """Raise UsageError where a run's settings make no problem, or its loss does not fit the
    labels."""
    different = {
        (
            problem_of(run),
            run.data,
            run.loss,
            run.train_points,
            run.test_points,
            run.network,
            run.network_depth,
        ): run
        for run in runs
    }
    for (problem, *_), run in different.items():
        problem.check(run.settings())
        if problem.target != "class" and run.loss not in REAL_LOSSES:
            raise UsageError(
                f"{label('loss')} is {run.loss} and the labels of {label('problem')} "
                f"{problem.name} are real numbers; accepted is {' or '.join(REAL_LOSSES)}"
            )
        if (run.loss == CLASS_LOSS) != (problem.outputs > 1):
            raise UsageError(
                f"{label('loss')} is {run.loss} and {label('problem')} {problem.name} has "
                + (
                    f"{problem.outputs} classes; accepted is {CLASS_LOSS}"
                    if problem.outputs > 1
                    else "two classes, ±1; accepted is hinge, logistic or squared"
                )
            )
