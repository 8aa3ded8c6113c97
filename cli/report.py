"""``fracsim-plot report``: what files hold on one HTML page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fracsim.cli.options import check_output, echo_json, example, json_option, quiet_option
from fracsim.errors import UsageError
from fracsim.text import counted, size

if TYPE_CHECKING:
    from fracsim.figures.report.page import Part
    from fracsim.figures.report.sweeps import Figures


@click.command(
    "report",
    epilog=example(
        "fracsim-plot report sweep.h5 -o report.html",
        "fracsim-plot report shard-*.h5 bounds.h5 --title 'Does depth help?' -o report.html",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Page to write: .html; replaced where it exists.",
)
@click.option("--title", help="Title of the page [default: what the files are of].")
@json_option
@quiet_option
def command(
    files: tuple[str, ...], output: Path, title: str | None, as_json: bool, quiet: bool
) -> None:
    """One page of what FILES hold: what was run, results, figures, where it comes from, how to
    repeat it.

    The page needs no network and no script, and can be mailed, printed and read on a phone.
    Trajectory files of one experiment (shards, seeds) make one section; those that are being
    written are taken as far as they are. Files of studies have a section each."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output {output}: accepted is a name that ends with .html")
    check_output(output, overwrite=True, read={"files": files})
    os.environ["MPLBACKEND"] = "agg"
    from fracsim import __version__
    from fracsim.data.atomic import replacing
    from fracsim.figures.report.page import page

    parts = list(_parts(files))
    named = title
    if named is None:
        named = "Report of " + ", ".join(part.heading for part in parts if part.level == 2)
    text = page(named, parts, f"Made by fracsim {__version__} of {', '.join(files)}.")
    with replacing(output) as file:
        file.write(text.encode())
    if as_json:
        echo_json({"output": str(output), "bytes": len(text.encode())})
    elif not quiet:
        click.echo(f"{output}: {counted(len(files), 'file')}, {size(len(text.encode()))}")


def _parts(files: tuple[str, ...]) -> Iterator[Part]:
    """The parts of the page: experiments first, then the other files in their order."""
    from fracsim.data.reader import sniff
    from fracsim.figures.report.sweeps import Figures, sweep_parts

    kinds = {path: sniff(path) for path in files}
    figures = Figures()
    yield from sweep_parts([path for path in kinds if kinds[path] == "trajectory"], figures)
    for path, kind in kinds.items():
        if kind == "study":
            yield from _study_parts(path, figures)
        elif kind == "samples":
            yield _sample_part(path)


def _study_parts(path: str, figures: Figures) -> Iterator[Part]:
    """A file of a study: its settings, its notes, its figure."""
    import json

    from fracsim.cli.study_figure import draw_study
    from fracsim.figures.report.page import Block, Commands, Facts, Part, Text
    from fracsim.figures.report.sweeps import origin
    from fracsim.studies import STUDIES, open_study
    from fracsim.studies.study import notes_of

    contents = open_study(path)
    study = next(one for one in STUDIES.values() if one.format.kind == contents.kind)
    name = os.path.basename(path)
    blocks: list[Block] = [Text(study.about), *(Text(note) for note in notes_of(contents))]
    drawing = study.figure
    if drawing is not None:
        look = {"title": None, "size": None}
        line = ["fracsim-plot", study.name, name, "-o", f"{study.name}.svg"]
        blocks.append(
            figures.block(lambda: draw_study(study, drawing, look, (path,), ())[0], "of it", line)
        )
    yield Part(f"{study.name}: {name}", blocks)
    try:
        settings = dict(json.loads(str(contents.attributes.get("settings", "{}"))))
    except (ValueError, TypeError):
        settings = {}
    said = [(key.replace("_", " "), value) for key, value in settings.items() if value is not None]
    yield Part("Settings", [Facts(said)], level=3)
    yield Part("Where it comes from", [origin([contents.attributes], [path])], level=3)
    again = [f"fracsim {study.name} --from {name} -o again.h5"]
    yield Part("How to repeat it", [Commands(again)], level=3)


def _sample_part(path: str) -> Part:
    """A file of sampled points."""
    from fracsim.data.samples import read_samples
    from fracsim.figures.report.page import Facts, Part, Text

    samples = read_samples(path)
    keys = ("fractal", "fractal_depth", "curve", "gap", "seed")
    facts = [(key.replace("_", " "), samples.attributes.get(key, "")) for key in keys]
    words = Text(f"{counted(len(samples.y), 'labelled point')} of a fractal distribution.")
    return Part(f"points: {os.path.basename(path)}", [words, Facts(facts)])
