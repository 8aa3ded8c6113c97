"""``fracsim bounds``: what Theorems 2, 3 and 4 say of networks, and the exact least error on the
line."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fracsim.cli.options import check_output, echo_json, example, json_option, quiet_option
from fracsim.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from fracsim.studies.bounds.bounds import Bounds

MOST_NUMBERS = 1000


class Numbers(click.ParamType):
    """Whole numbers as in ``1,2,5`` or ``1:5`` (both ends included) or ``1:9:2``; parts may be
    mixed."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        if isinstance(value, list):
            return value
        numbers: list[int] = []
        for part in str(value).split(","):
            found = re.fullmatch(r"\s*(\d{1,12})(?::(\d{1,12})(?::(\d{1,12}))?)?\s*", part)
            first, last, step = (
                (int(text) if text else None for text in found.groups())
                if found
                else (0, None, None)
            )
            first = first or 0
            members = range(
                first, (first if last is None else last) + 1, 1 if step is None else step or 1
            )
            if (
                not found
                or step == 0
                or not members
                or members[0] < 1
                or len(members) > MOST_NUMBERS
            ):
                shown = str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
                self.fail(
                    f"'{shown}' is no list of at most {MOST_NUMBERS} whole numbers of at least 1 "
                    "(as in 1,2,5 or 1:5 or 10:50:10).",
                    param,
                    ctx,
                )
            numbers += members
        return numbers


@click.command(
    epilog=example(
        "fracsim bounds cantor --fractal-depth 5 --curve 1",
        "fracsim bounds cantor1d --fractal-depth 10 --curve 6 --depth 1:3 --width 10,100 -o "
        "bounds.h5",
        "fracsim-plot bounds bounds.h5 -o bounds.png",
    )
)
@click.argument("fractal")
@click.option(
    "--fractal-depth",
    metavar="NUMBER",
    default="5",
    show_default=True,
    help="Depth n of the fractal.",
)
@click.option(
    "--curve",
    default="1",
    show_default=True,
    help="1 to 6, polynomial:P, finest:M, or P(0),P(1),…,P(n).",
)
@click.option("--gap", help="Where negatives lie: complement or centre [default: the fractal's].")
@click.option(
    "--depth",
    type=Numbers(),
    help="Hidden layers T, as in 1,2,5 or 1:5 [default: 1:2n+1, at most 41].",
)
@click.option(
    "--width", type=Numbers(), default="10,20,50,100,200,400", show_default=True, help="Widths k."
)
@click.option(
    "--sign-changes",
    type=Numbers(),
    help="d = 1: numbers m of sign changes [default: enough to draw].",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (HDF5) [default: none]."
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
def command(
    fractal: str,
    fractal_depth: str,
    curve: str,
    gap: str | None,
    depth: list[int] | None,
    width: list[int],
    sign_changes: list[int] | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell what the theorems say of networks with T hidden layers of width k on FRACTAL, a name or
    a TOML file.

    Theorem 2: the least width that a network without error needs. Theorem 3: an error that some
    network reaches. Theorem 4 (d = 1): an error that every network has at least. In d = 1 also the
    exact least error of any classifier with at most m sign changes; a network has at most (k+1)^T.
    Errors are 0-1 errors, Pr[sign f(x) != y], on the whole distribution; the hinge loss is never
    less. Where a theorem says nothing, there is no number (- or null)."""
    from fracsim.studies.bounds.bounds import bounds_of
    from fracsim.training.run import coerce

    n = coerce("fractal_depth", fractal_depth)
    found = bounds_of(
        fractal, n, curve, gap=gap, depths=depth, widths=width, sign_changes=sign_changes
    )
    if quiet and output is None and not as_json:
        raise UsageError(
            "--quiet without --output leaves nothing to do; give an --output, or --json"
        )
    if output is not None:
        write(found, check_output(output, overwrite))
    if as_json:
        echo_json(summary(found, output))
    elif not quiet:
        click.echo("\n".join([*([f"{output}: bounds of"] if output else []), *words(found)]))


def write(found: Bounds, output: Path) -> None:
    """Store the bounds as a study."""
    from fracsim.cli.options import command_line
    from fracsim.data.provenance import provenance
    from fracsim.data.studies import write_study

    write_study(
        output, "bounds", found.arrays(), {**found.attributes(), **provenance(command_line())}
    )


def summary(found: Bounds, output: Path | None) -> dict[str, Any]:
    """All numbers, and what they are about."""
    from fracsim.data.schema import STUDIES

    fractal = found.fractal
    about = {
        "fractal": fractal.name,
        "dimension": fractal.dimension,
        "maps": fractal.maps,
        "fractal_depth": found.fractal_depth,
        "curve": found.curve.name,
        "gap": found.gap,
    }
    names = [variable.name for variable in STUDIES["bounds"] if variable.name != "level"]
    numbers = {name: found.arrays().get(name) for name in names}  # None: there is nothing to say
    return {
        **({"output": str(output)} if output else {}),
        **about,
        "error": found.attributes()["error"],
        **numbers,
        "notes": found.notes,
    }


def words(found: Bounds) -> list[str]:
    """The numbers as tables."""
    fractal = found.fractal
    lines = [
        f"{fractal.name} (d = {fractal.dimension}, r = {fractal.maps}), n = {found.fractal_depth}, "
        f"curve {found.curve.name}, gap {found.gap}",
        "T hidden layers of width k; errors are 0-1 errors, Pr[sign f(x) != y]; the hinge loss is "
        "never less",
        "",
        "Theorem 2: the least width k that a network of T hidden layers without error needs",
        *(
            ["  says nothing of this distribution"]
            if math.isnan(found.least_width[0])
            else _table(
                [
                    ["T", *map(str, found.network_depth)],
                    ["k", *(_shown(value, 2) for value in found.least_width)],
                ]
            )
        ),
        "",
        "Theorem 3: the error 1 - P(j) that some network reaches",
        *_grid(found, found.upper_error),
    ]
    if fractal.dimension == 1:
        lines += [
            "",
            "Theorem 4: the error that every network has at least",
            *_grid(found, found.lower_error),
        ]
    if len(found.sign_changes):
        lines += [
            "",
            "exact least error of any classifier with (k+1)^T sign changes: every network errs as "
            "much",
            *_grid(found, found.least_error),
            "",
            "exact least error with at most m sign changes, and Theorem 4 for m linear pieces",
            *_by_changes(found),
        ]
    return lines + [line for note in found.notes for line in ("", f"note: {note}")]


def _grid(found: Bounds, values: np.ndarray) -> list[str]:
    import numpy as np

    if np.isnan(values).all():
        return ["  says nothing of these T and k"]
    head = ["T \\ k", *map(str, found.width)]
    return _table(
        [
            head,
            *(
                [str(t), *map(_shown, row)]
                for t, row in zip(found.network_depth, values, strict=True)
            ),
        ]
    )


def _by_changes(found: Bounds) -> list[str]:
    """A row for each m, or where they are many for the round ones and the last."""
    from fracsim.studies.bounds.bounds import ROUND

    rows = [
        [str(m), _shown(exact), _shown(lower)]
        for m, exact, lower in zip(
            found.sign_changes, found.changes_least_error, found.changes_lower_error, strict=True
        )
        if len(found.sign_changes) <= 24 or m in ROUND or m == found.sign_changes[-1]
    ]
    return _table([["m", "exact", "Theorem 4"], *rows])


def _table(rows: list[list[str]], across: int = 14) -> list[str]:
    """Lines of right-aligned columns; more columns than fit a screen continue below."""
    lines: list[str] = []
    for start in range(1, len(rows[0]), across):
        part = [[row[0], *row[start : start + across]] for row in rows]
        widths = [max(len(row[column]) for row in part) for column in range(len(part[0]))]
        lines += [
            "  " + "  ".join(cell.rjust(wide) for cell, wide in zip(row, widths, strict=True))
            for row in part
        ]
    return lines


def _shown(value: float, digits: int = 4) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}" if value < 1e7 else f"{value:.3g}"
