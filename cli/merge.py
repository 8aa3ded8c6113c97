"""``fracsim merge``: one trajectory file from those of all shards."""

from pathlib import Path

import click

from fracsim.cli.options import echo_json, example, json_option, quiet_option
from fracsim.cli.streams import remark
from fracsim.text import counted


@click.command(
    "merge",
    epilog=example(
        "fracsim merge shard-0.h5 shard-1.h5 shard-2.h5 shard-3.h5 -o whole.h5",
        "fracsim merge shard-*.h5 -o whole.h5 --overwrite",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", metavar="FILE", required=True, help="The trajectory file to write.")
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@json_option
@quiet_option
def command(
    files: tuple[str, ...], output: str, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    """Make one trajectory file of all runs of an experiment from the complete ones of its shards.

    The result is the file that the sweep without --shard makes, in every variable. FILES stay as
    they are. Figures need no merge: they take many shards."""
    from fracsim.cli.options import command_line
    from fracsim.products.merge import merge

    merged = merge(
        [Path(file) for file in files], output, overwrite=overwrite, command=command_line()
    )
    if as_json:
        echo_json(merged._asdict())
    if quiet:
        return
    if not as_json:
        diverged = f", {merged.diverged} of them diverged" if merged.diverged else ""
        made = f"{counted(merged.runs, 'run')} from {counted(merged.files, 'file')}"
        click.echo(f"{merged.output}: {made}{diverged}")
    if merged.bit_identical != "yes":
        remark(
            f"note: not the bits that one machine makes: "
            f"{merged.bit_identical.removeprefix('no: ')}"
        )
