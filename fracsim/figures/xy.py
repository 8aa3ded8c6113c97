"""The figure ``xy``: any variable against any other, settings as colours, dashes and panels."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.collect import caveats_of, describe, real_labels, steps_text
from fracsim.figures.observations import (
    REPLICATES,
    RunUnit,
    StudyUnit,
    Unit,
    check_name,
    free_dimensions,
    meant,
    observe,
)
from fracsim.figures.relation import Shown, any_finite, draw_table
from fracsim.problems.registry import DESCRIBED
from fracsim.products.entries import distinct, group, varied
from fracsim.products.runs import Runs
from fracsim.products.selection import Selection, best_choice
from fracsim.products.starts import DECIDES, DERIVED
from fracsim.products.where import Conditions

ROLES = ("hue", "dashes", "panel", "row")
BANDS = ("span", "sd", "none")
AVERAGED, CHOSEN = "seed", "learning_rate"


@dataclass(frozen=True, kw_only=True)
class Request(Shown):
    """What is asked for: names of variables or settings, or nothing, which leaves it to the
    figure."""

    x: str | None = None
    y: str | None = None
    hue: str | None = None
    dashes: str | None = None
    panel: str | None = None
    row: str | None = None
    select: str | None = None

    def roles(self, own: Collection[str] = ()) -> dict[str, str]:
        """Role -> name, of those given; x first. Names in ``own`` are meant as they are."""
        given = {role: getattr(self, role) for role in ("x", *ROLES)}
        return {
            role: name if name in own else meant(name)
            for role, name in given.items()
            if name is not None
        }


def draw_runs(
    runs: Runs, request: Request, title: str | None = None, size: style.Inches | None = None
) -> Figure:
    """Any setting or recorded variable of trajectories.

    Along steps where ``step`` is on an axis, a colour or a panel; else at one record of each run
    (``select``). Means are taken over seeds, with a band. Settings that vary and are not named get
    the free ones of hue, dashes, panel and row; of several learning rates the best is taken by the
    mean over seeds.

    Args:
        runs: as :func:`fracsim.products.runs.load_runs` gives them.
        request: what is drawn.
        title: replaces the figure's own title.
        size: width and height in inches, instead of the figure's own.

    Raises:
        UsageError: an unknown name, names that do not fit each other, more colours or panels than
            can be told apart, or nothing to draw.
    """
    real_labels(runs)
    y = meant(request.y or runs.entries[0].quality)
    keys = _telling(runs)
    roles = request.roles()
    if "x" not in roles:
        left = [key for key in keys if key not in roles.values()]
        first = "width" if "width" in left else next(iter(left), "step")
        roles = {"x": "step" if request.select is None and not left else first, **roles}
    through = "step" in roles.values()
    if through and request.select is not None:
        raise UsageError(
            f"--select {request.select} chooses one record of each run, and step is drawn; "
            f"accepted is one of the two"
        )
    selection = None if through else Selection(request.select or "best")
    entries, chosen = runs.entries, CHOSEN not in roles.values()
    units: list[Unit] = [RunUnit(entry, selection) for entry in entries]
    for option, name in (("--y", y), *((f"--{role}", name) for role, name in roles.items())):
        check_name(units, option, name)
    keys = _undecided(units, keys, roles)
    roles = _filled(roles, [*free_dimensions(units, y, roles.values()), *keys])
    if chosen:
        units = _at_best_rates([unit for unit in units if isinstance(unit, RunUnit)], roles)
    table = observe(units, y, roles, {})
    if selection is not None and selection.step is not None and not any_finite(table.numbers):
        steps = sorted({int(step) for entry in entries for step in entry.steps})
        near = min(steps, key=lambda step: abs(step - (selection.step or 0)))
        raise UsageError(
            f"--select step:{selection.step}: no run has a record there; the nearest is step:{near}"
        )
    over = () if AVERAGED in roles.values() else (AVERAGED,)
    said = [_how_runs(runs, selection, y, chosen, over, request.band), *caveats_of(runs)]
    same = not {*DESCRIBED} & {*keys}
    about = describe(entries[0].settings) if same else ""
    return draw_table(table, y, roles, request, said, about, title, size)


def draw_studies(
    units: Sequence[StudyUnit],
    request: Request,
    conditions: Conditions,
    notes: Sequence[str],
    title: str | None = None,
    size: style.Inches | None = None,
) -> Figure:
    """Any variable of files of one kind of study, as ``draw_runs``; means are taken over random
    draws."""
    if request.select is not None:
        raise UsageError("--select chooses records of trajectories; files of studies have none")
    y = request.y or _first_number(units[0])
    roles = request.roles(own=units[0].settings)
    check_name(units, "--y", y)
    dims = (units[0].values(y) or ((),))[0]
    if "x" not in roles:
        free = [dim for dim in dims if dim not in (*roles.values(), *REPLICATES)]
        own = [
            key for key in units[0].settings if len({str(u.settings.get(key)) for u in units}) > 1
        ]
        roles = {"x": (free or own or list(dims) or [y])[0], **roles}
    for role, name in roles.items():
        check_name(units, f"--{role}", name)
    for key in conditions:
        check_name(units, "--where", key)
    free = [*free_dimensions(units, y, roles.values()), *_differ(units)]
    roles = _filled(roles, free)
    table = observe(units, y, roles, conditions)
    averaged = [dim for dim in dims if dim in REPLICATES and dim not in roles.values()]
    said = [f"Mean{_BAND[request.band]} over {dim}s." for dim in averaged] + list(notes)
    return draw_table(table, y, roles, request, said, units[0].study.kind, title, size)


def _differ(units: Sequence[StudyUnit]) -> list[str]:
    """Settings that are not the same in all files."""
    return [
        key
        for key in units[0].settings
        if key != AVERAGED and len({str(unit.settings.get(key)) for unit in units}) > 1
    ]


_BAND = {"span": " and span", "sd": " and standard deviation", "none": ""}


def _first_number(unit: StudyUnit) -> str:
    """The first variable that is more than a coordinate."""
    for name, values in unit.study.arrays.items():
        if values.dtype.kind == "f" and values.ndim and name not in unit.dims[name]:
            return name
    raise UsageError(
        f"'{unit.study.path}' has no variable along an axis; accepted as --y is one of "
        f"{', '.join(unit.names())}"
    )


def _filled(roles: dict[str, str], left: Sequence[str]) -> dict[str, str]:
    """Roles with what is left of dimensions and settings in the free ones of ROLES. Raises
    UsageError where they are too many."""
    found = dict(roles)
    for name in left:
        if name in found.values():
            continue
        free = [role for role in ROLES if role not in found]
        if not free:
            more = [one for one in left if one not in found.values()]
            raise UsageError(
                f"{', '.join(more)} vary too, and hue, dashes, panel and row are taken; choose "
                f"some with --where"
            )
        found[free[0]] = name
    return found


def _at_best_rates(units: list[RunUnit], roles: Mapping[str, str]) -> list[Unit]:
    """Of the runs that differ in learning rate and seed only, those at the rate with the best
    mean."""
    keys = [key for key in units[0].settings if key not in (AVERAGED, CHOSEN)]
    groups: dict[tuple[str, ...], list[RunUnit]] = {}
    for unit in units:
        groups.setdefault(tuple(str(unit.settings.get(key)) for key in keys), []).append(unit)
    kept: list[Unit] = []
    for found in groups.values():
        (rate,) = best_choice([unit.entry for unit in found], [CHOSEN]).chosen
        kept += [unit for unit in found if unit.settings.get(CHOSEN) == rate]
    return kept


def _telling(runs: Runs) -> list[str]:
    """The settings that vary, but for those that go with another."""
    keys = varied(runs.entries, without=(AVERAGED, CHOSEN, "widths"))
    if "gap" in keys and all(
        len(distinct(part, "gap")) == 1 for part in group(runs.entries, ["fractal"]).values()
    ):
        keys.remove("gap")  # each fractal has its own default
    return keys


def _undecided(units: Sequence[Unit], keys: list[str], roles: Mapping[str, str]) -> list[str]:
    """The settings that vary between runs which what is drawn does not tell apart, where something
    is drawn that follows from settings (Σ 1/n, κ): it stands for those."""
    named = [name for name in roles.values() if name in DERIVED or name in units[0].settings]
    if not {*DECIDES} & {*named}:
        return keys
    groups: dict[tuple[str, ...], list[Unit]] = {}
    for unit in units:
        found = (unit.values(name) for name in named)
        at = tuple("" if one is None else str(one[1].tolist()) for one in found)
        groups.setdefault(at, []).append(unit)
    return [
        key
        for key in keys
        if any(len({str(unit.settings.get(key)) for unit in one}) > 1 for one in groups.values())
    ]


def _how_runs(
    runs: Runs,
    selection: Selection | None,
    y: str,
    chosen: bool,
    over: tuple[str, ...],
    band: str,
) -> str:
    """What stands for a run, and runs for a point, in a sentence."""
    choose = (CHOSEN,) if chosen else ()
    how = dataclasses.replace(selection or Selection(), choose=choose, over=over)
    parts = how.words(runs.entries, y).split("; ")
    parts = parts[1:] if selection is None else parts
    text = "; ".join([*parts, f"trained to {steps_text(runs.entries)}"])
    shown = {"span": "; band: from the least to the greatest", "sd": "; band: ± standard deviation"}
    several = over and len({entry.settings.get(AVERAGED) for entry in runs.entries}) > 1
    return f"{text[:1].upper()}{text[1:]}{shown.get(band, '') if several else ''}."
