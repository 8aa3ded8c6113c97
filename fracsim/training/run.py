"""The settings of one training: every key of an experiment, its default, and what it accepts.

A field of ``Run`` is a TOML key, a column of the file and, with ``-`` for ``_``, an option
of ``fracsim train`` (only ``network_depth`` is ``--depth`` there). What is learnt has keys of its
own, which the problems declare (``fracsim.problems``). The defaults are the protocol of Malach &
Shalev-Shwartz 2019. Nothing heavy is imported here: the commands build their options, and
their help, from these fields."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fracsim.errors import UsageError
from fracsim.problems.problem import Problem
from fracsim.problems.registry import PROBLEMS, ProblemKeys, foreign_keys, refuse_foreign
from fracsim.values.given import python_value, unreadable
from fracsim.values.grammar import MOST_LAYERS, is_number, layer_widths, width_of_layers
from fracsim.values.settings import (
    Setting,
    check_depth,
    coerced,
    label,
    nearest_key,
    refusal,
    setting,
    settings_of,
)

if TYPE_CHECKING:
    from fracsim.kernels.network.shape import Shape

_OF_FILES = ("fractal_definition", "problem_facts", "old_points")  # fields that are no settings
_LEAST_FLOAT = 1e-30  # what is smaller may be 0 in float32: no training, or 0/0


@dataclass(frozen=True)
class Run(ProblemKeys):
    """One training: a problem, a network, an optimiser, a budget and a seed.

    Fields that are no settings (``fractal_definition``, ``problem_facts``) hold what outside files
    say, once an experiment is resolved, so that a file can be rerun after they have gone;
    ``old_points`` is set where a file of an older version is continued."""

    network: str = setting(
        "mlp", "mlp: layers; cnn: convolutions on images", str, choices=("mlp", "cnn")
    )
    network_depth: int = setting(5, "hidden layers T", int, low=0, high=MOST_LAYERS)
    width: int | str = setting(
        100, "width k of each hidden layer", int, low=1, high=100_000, layers=True
    )
    initialisation: str = setting(
        "paper",
        "initial weights",
        str,
        choices=("paper", "he", "he-uniform", "glorot", "uniform"),
        short="--init",
    )
    weight_std: float | None = setting(
        None,
        "scale initial weights to the variance σ_w²/fan-in; κ is σ_w²/2",
        float,
        above=0,
        high=1000,
        optional="the initialisation's",
    )
    bias: float | None = setting(
        None,
        "initial biases",
        float,
        low=-1e6,
        high=1e6,
        optional="the initialisation's (uniform has none)",
    )
    bias_std: float | None = setting(
        None,
        "draw initial biases with this standard deviation σ_b, around `bias` or 0",
        float,
        low=0,
        high=1e6,
        optional="all biases are equal",
    )
    init_from: str | None = setting(
        None,
        "file of a network to start from, instead of drawn weights",
        str,
        optional="weights are drawn",
    )
    loss: str = setting(
        "hinge", "loss", str, choices=("hinge", "logistic", "squared", "cross-entropy")
    )
    optimizer: str = setting("adam", "optimiser", str, choices=("sgd", "momentum", "adam"))
    learning_rate: float = setting(
        0.005, "learning rate", float, low=_LEAST_FLOAT, high=1000, short="--lr"
    )
    momentum: float = setting(0.9, "factor μ of `momentum`", float, low=0, below=1)
    beta1: float = setting(0.9, "decay β₁ of `adam`", float, low=0, below=1)
    beta2: float = setting(0.999, "decay β₂ of `adam`", float, low=0, below=1)
    epsilon: float = setting(1e-8, "ε of `adam`", float, low=_LEAST_FLOAT, high=1)
    schedule: str = setting(
        "constant", "course of the learning rate", str, choices=("constant", "step", "cosine")
    )
    schedule_period: int | None = setting(
        None,
        "steps between two decays of `step`; length of `cosine`",
        int,
        low=1,
        high=1e12,
        optional="all steps for cosine; step needs one",
    )
    schedule_decay: float = setting(0.1, "factor of each decay of `step`", float, above=0, high=1)
    data: str = setting(
        "dataset",
        "points drawn once and reshuffled, fresh at every step, or the exact mean over all (d = "
        "1, hinge)",
        str,
        choices=("dataset", "stream", "population"),
    )
    train_points: int = setting(50_000, "training points (`dataset`)", int, low=1, high=4e9)
    test_points: int = setting(5_000, "test points", int, low=1, high=4e9)
    batch_size: int = setting(
        100, "points B of one step (`dataset`, `stream`)", int, low=1, high=1e7
    )
    steps: int = setting(1_000_000, "training steps", int, low=1, high=1e12)
    record_every: int = setting(
        10_000, "steps between two records; divides the steps", int, low=1, high=1e12
    )
    seed: int = setting(0, "seed of data, initial weights and shuffling", int, low=0, high=10**18)
    precision: str = setting(
        "float32", "arithmetic of the training", str, choices=("float32", "float64")
    )

    def __post_init__(self) -> None:
        for key, accepts in SETTINGS.items():
            value = getattr(self, key)
            if type(value) is not accepts.kind and value is not None:
                object.__setattr__(self, key, coerce(key, value))

    def settings(self) -> dict[str, Any]:
        """Key -> value of every setting of its problem."""
        foreign = foreign_keys(self.problem, vars(self)) if self.problem in PROBLEMS else ()
        return {key: getattr(self, key) for key in SETTINGS if key not in foreign}

    def validate(self) -> None:
        """Raise UsageError, naming the key, where a value or a pair of values makes no sense."""
        for key, accepts in SETTINGS.items():
            value = getattr(self, key)
            if value is None and accepts.optional:
                continue
            if not accepts.holds(value):
                raise refusal(key, accepts, value)
        self._validate_problem()
        if isinstance(self.width, str):
            check_depth(self.width, self.network_depth, "network_depth")
        if self.data == "dataset" and self.batch_size > self.train_points:
            raise UsageError(
                f"{label('batch_size')} is {self.batch_size}, more than the training set: "
                f"{label('train_points')} is {self.train_points}"
            )
        if self.data == "population" and self.loss != "hinge":
            raise UsageError(
                f"{label('data')} is population and {label('loss')} is {self.loss}; "
                "the exact loss over the whole distribution is the hinge loss"
            )
        if self.steps % self.record_every:
            raise UsageError(
                f"{label('record_every')} is {self.record_every}; it must divide "
                f"{label('steps')}, {self.steps}"
            )
        if self.initialisation == "uniform" and self.bias is None and self.bias_std is None:
            raise UsageError(
                f"{label('initialisation')} uniform needs a {label('bias')}, for example 0.25"
            )
        for key, what in (("bias", "biases"), ("bias_std", "biases"), ("weight_std", "weights")):
            if self.init_from is not None and getattr(self, key) is not None:
                raise UsageError(
                    f"{label('init_from')} brings its own {what}; accepted is no {label(key)} "
                    f"beside it"
                )
        if self.schedule == "step" and self.schedule_period is None:
            raise UsageError(
                f"{label('schedule')} step needs a {label('schedule_period')}: the steps between "
                f"two decays"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """k_1, …, k_T of the hidden layers."""
        if isinstance(self.width, str):
            return layer_widths(self.width)
        return (self.width,) * self.network_depth

    @property
    def widest(self) -> int:
        """The width of the widest hidden layer; without one, what ``width`` says."""
        return max(self.widths) if isinstance(self.width, str) else self.width

    def recorded_steps(self) -> range:
        """The S step numbers at which a record is taken, from 0, the network before its training,
        to ``steps``."""
        return range(0, self.steps + 1, self.record_every)

    @property
    def points_per_step(self) -> int:
        """How many points' work a step is: the batch's; on the population about 25 for each hidden
        unit (measured)."""
        return 25 * sum(self.widths) + 1 if self.data == "population" else self.batch_size

    def used_keys(self) -> tuple[str, ...]:
        """The settings that mean something to this run: all but those of other problems, and
        those of ``WHERE_SET`` that are not set."""
        unset = (key for key in WHERE_SET if getattr(self, key) == getattr(Run, key))
        return _without((*foreign_keys(self.problem, vars(self)), *unset))

    def decisive(self) -> dict[str, Any]:
        """Key -> value of all that decides the run's numbers, files by what they hold. (What was
        there before there were problems makes the same hash.)"""
        kind, values = PROBLEMS[self.problem], vars(self)
        unset = [key for key in WHERE_SET if values[key] == getattr(Run, key)]
        return {
            key: kind.content_of(key, values[key])
            for key in _deciding(self.problem, foreign_keys(self.problem, values))
            if key not in unset
        }

    def _validate_problem(self) -> None:
        """A key of another problem is refused; where it has its default nobody can tell that it was
        set, unless by ``make_run``."""
        kind = PROBLEMS[self.problem]
        for key in foreign_keys(self.problem, vars(self)):
            if getattr(self, key) != getattr(Run, key):
                raise refuse_foreign(key, self.problem)
        if self.network == "cnn" and not kind.has_images:
            raise UsageError(
                f"{label('network')} is cnn and {label('problem')} is {kind.name}, whose points "
                f"are no images; accepted is mlp"
            )
        if self.data not in kind.kinds_of_data:
            raise UsageError(
                f"{label('data')} is {self.data}; accepted with {label('problem')} {kind.name} is "
                f"{' or '.join(kind.kinds_of_data)}"
            )


_FIELDS = tuple(field.name for field in dataclasses.fields(Run))

SETTINGS: dict[str, Setting] = settings_of(Run)
"""Key -> what it accepts, in the order of ``Run``."""


NETWORK_KEYS = (
    *(
        "network",
        "network_depth",
        "width",
        "initialisation",
        "weight_std",
        "bias",
        "bias_std",
        "init_from",
    ),
)
"""The settings of the network and its initial parameters."""

WHERE_SET = ("network", "weight_std", "bias_std")
"""Keys that files and hashes have only where some run sets them: those of before stay as they
were."""


@functools.cache
def _without(foreign: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in SETTINGS if key not in foreign)


@functools.cache
def _deciding(problem: str, foreign: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that decide the numbers of a problem's runs, of which these are no settings."""
    left_out = {"problem_facts", "old_points", *foreign}
    if "fractal" in foreign:
        left_out.add("fractal_definition")
    if problem == next(iter(PROBLEMS)):
        left_out.add("problem")
    return tuple(name for name in _FIELDS if name not in left_out)


def check_key(key: str, where: str = "") -> None:
    """Raise UsageError, naming the nearest key, unless ``key`` is a setting."""
    if key in SETTINGS:
        return
    hint = nearest_key(key, SETTINGS)
    raise UsageError(f"unknown key '{key}'{' in ' + where if where else ''}{hint}")


def coerce(key: str, value: Any) -> Any:
    """A value as TOML, an option or the environment gives it, as the type of its field.

    Text is read as a number where a number is due, 1e6 is a whole number, curve 1 is "1", and a
    list of P(0), …, P(n) becomes text. Raises UsageError where that cannot be done."""
    try:
        value = python_value(value)
    except Exception as error:  # of whoever wrote the value's methods
        raise unreadable(label(key, SETTINGS[key]), value, error) from error
    if key == "curve" and isinstance(value, (list, tuple)) and all(is_number(v) for v in value):
        return ",".join(repr(float(v)) for v in value)
    if key == "curve" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return coerced(key, SETTINGS[key], value)


def make_run(settings: Mapping[str, Any], where: str = "") -> Run:
    """A checked Run from key -> value; keys left out keep their defaults. Raises UsageError."""
    for key in settings:
        check_key(key, where)
    run = Run(**with_depth({key: coerce(key, value) for key, value in settings.items()}))
    run.validate()
    foreign = foreign_keys(run.problem, vars(run))
    for key, value in settings.items():
        if key in foreign and value is not None:
            raise refuse_foreign(key, run.problem)
    return run


def with_depth(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of which a width for each layer says the depth, where none is given; where all
    layers have one width, it becomes that: 20-20-20 is depth 3, width 20, with the same hash."""
    values = dict(settings)
    if isinstance(width := values.get("width"), str):
        widths = layer_widths(width)
        if values.setdefault("network_depth", len(widths)) == len(widths):
            values["width"] = width_of_layers(widths)
    return values


def problem_of(run: Run) -> Problem:
    """What a run learns. Raises UsageError where its settings do not make a problem."""
    keys = PROBLEMS[run.problem].keys(vars(run))
    return _problem(run.problem, keys, _reader(keys)(run))


@functools.cache
def _reader(keys: tuple[str, ...]) -> Callable[[Run], tuple[Any, ...]]:
    """What reads all that a problem of these keys is made of."""
    return operator.attrgetter(*keys, *_OF_FILES, "precision")


@functools.lru_cache(maxsize=256)
def _problem(name: str, keys: tuple[str, ...], values: tuple[Any, ...]) -> Problem:
    return PROBLEMS[name].make(dict(zip((*keys, *_OF_FILES, "precision"), values, strict=True)))


def shape_of(run: Run) -> Shape:
    """The shape of a run's network."""
    problem = problem_of(run)
    image = problem.image if run.network == "cnn" else None
    return _shape(problem.inputs, run.widths, problem.outputs, image)


@functools.lru_cache(maxsize=256)
def _shape(*sizes: Any) -> Shape:
    from fracsim.kernels.network.shape import Shape

    return Shape(*sizes)


def parameters_of(run: Run) -> int:
    """Q of the run's network."""
    from fracsim.kernels.network.shape import parameter_count

    return parameter_count(shape_of(run))


def cost(run: Run, parameters: int) -> float:
    """Work of a run in arbitrary units, a formula and never a measurement, so that every machine
    orders runs alike.

    Steps x points x parameters, plus the overhead of narrow layers: 300 parameters' worth per layer
    (fitted to measured steps at widths 10 to 100)."""
    work = parameters if run.network == "mlp" else multiplications_of(run)
    return float(run.steps) * run.points_per_step * (work + 300 * (run.network_depth + 1))


def multiplications_of(run: Run) -> int:
    """Of the weights of the run's network with one point."""
    from fracsim.kernels.network.shape import multiplications

    return multiplications(shape_of(run))
