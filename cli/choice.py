"""The options that say which experiment is meant, as ``sweep`` and ``slurm-script`` take them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli import complete
from fracsim.cli.options import ENVIRONMENT
from fracsim.cli.settings import environment_settings, parameter_name, parse_set, value_of
from fracsim.errors import UsageError
from fracsim.training.run import check_key

if TYPE_CHECKING:
    from fracsim.experiments.experiment import Experiment

_OPTIONS = (
    click.argument("experiment", required=False, shell_complete=complete.experiments),
    click.option(
        "--from", "source", metavar="FILE", help="Rerun the experiment stored in a trajectory file."
    ),
    click.option(
        "--quick", is_flag=True, help="The experiment's [quick] variant: minutes instead of hours."
    ),
    click.option(
        "--set",
        "assignments",
        metavar="KEY=VALUE",
        multiple=True,
        help="Set a key; width=10,20 or seed=0:4 vary it. May be repeated.",
    ),
    click.option("--seed", metavar="NUMBER", help="Short for --set seed=NUMBER, or 0,1,2 or 0:2."),
    click.option(
        "--weights",
        metavar="none|final|records",
        help="Weights to keep. [default: the experiment's, else none]",
    ),
)


def choice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a ``Choice``, which the command gets as its argument ``choice``."""

    @functools.wraps(function)
    def command(**options: Any) -> Any:
        choice = Choice(**{field.name: options.pop(field.name) for field in fields(Choice)})
        return function(choice=choice, **options)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Choice:
    """Which experiment, with which changes: the options as typed."""

    experiment: str | None
    source: str | None
    quick: bool
    assignments: tuple[str, ...]
    seed: str | None
    weights: str | None

    def resolve(self) -> Experiment:
        """The experiment that is meant, checked. Raises UsageError, and FileError for a file that
        stores none."""
        from fracsim.experiments.experiment import experiment_names, load_experiment

        chosen = self._chosen()
        if (self.experiment is None) == (self.source is None):
            names = ", ".join(experiment_names())
            raise UsageError(
                f"give either an EXPERIMENT, a TOML file or one of {names}, or --from FILE"
            )
        if self.source is not None and self.quick:
            raise UsageError("--quick goes with an EXPERIMENT, not with --from")
        given = {key: value for key, value in environment_settings().items() if key not in chosen}
        try:
            if self.experiment is not None:
                return load_experiment(
                    self.experiment, self.quick, {**given, **chosen}, self.weights
                )
            return _stored(str(self.source)).changed({**given, **chosen}, self.weights)
        except UsageError as error:
            if not given:
                raise
            variables = ", ".join(f"{ENVIRONMENT}_{parameter_name(key).upper()}" for key in given)
            raise UsageError(f"{error} (set in the environment: {variables})") from error

    def _chosen(self) -> dict[str, Any]:
        """Key -> value of --set and --seed. Raises UsageError."""
        chosen = parse_set(self.assignments)
        if self.seed is not None:
            if "seed" in chosen:
                raise UsageError(
                    "seed is given twice, by --set and by --seed; accepted is one of them"
                )
            chosen["seed"] = value_of("seed", self.seed, "--seed")
        for key in chosen:
            check_key(key, "--set")
        return chosen

    def words(self) -> list[str]:
        """Words for ``fracsim sweep`` that mean the same where the FRACSIM_* variables of this
        process are not set."""
        chosen = self._chosen()
        words = [self.experiment] if self.experiment is not None else ["--from", str(self.source)]
        words += ["--quick"] * self.quick
        for key in environment_settings():
            if key not in chosen:
                words += [
                    "--set",
                    f"{key}={os.environ[f'{ENVIRONMENT}_{parameter_name(key).upper()}'].strip()}",
                ]
        for assignment in self.assignments:
            words += ["--set", assignment]
        for option, value in (("--seed", self.seed), ("--weights", self.weights)):
            words += [option, value] if value is not None else []
        return words


def _stored(path: str) -> Experiment:
    """The experiment that a trajectory file stores."""
    from fracsim.data.errors import FileError
    from fracsim.data.reader import open_trajectory
    from fracsim.experiments.experiment import Experiment

    text = open_trajectory(path).attributes.get("experiment")
    if not isinstance(text, str):
        raise FileError(f"'{path}' stores no experiment to rerun")
    return replace(Experiment.from_json(text), files=(path,))
