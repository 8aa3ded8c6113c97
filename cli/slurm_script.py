"""``fracsim slurm-script``: the script of a job array that trains a sweep, one shard to a task."""

from pathlib import Path

import click

import fracsim
from fracsim.cli.choice import Choice, choice_options
from fracsim.cli.options import Count, example
from fracsim.machine.cpus import MOST_THREADS

MOST_CPUS = 8
"""CPUs of a task where none are asked for and its shard has runs for them."""


@click.command(
    "slurm-script",
    epilog=example(
        "fracsim slurm-script cantor5-depth-width --shards 10 --time 4:00:00 > sweep.sh && sbatch "
        "sweep.sh",
        "fracsim slurm-script my-experiment.toml --shards 4 --time 1-00:00:00 --cpus 16 --mem 8G "
        "-o results/mine",
    ),
)
@choice_options
@click.option(
    "--shards",
    metavar="NUMBER",
    type=Count(),
    required=True,
    help="Tasks of the array, one shard each.",
)
@click.option(
    "--time", metavar="TIME", required=True, help="Limit of a task: MM:SS, H:MM:SS or D-HH:MM:SS."
)
@click.option(
    "-o",
    "--output",
    metavar="NAME",
    help="Task i writes NAME-i.h5. [default: the experiment's name]",
)
@click.option(
    "--cpus",
    metavar="NUMBER",
    type=Count(MOST_THREADS),
    help=f"CPUs of a task. [default: one for each run of a shard, at most {MOST_CPUS}]",
)
@click.option("--mem", metavar="SIZE", help="Memory of a task, as in 8G. [default: the cluster's]")
@click.option("--partition", metavar="NAME", help="Partition to run in. [default: the cluster's]")
@click.option("--account", metavar="NAME", help="Account to charge. [default: the cluster's]")
def command(
    choice: Choice,
    shards: int,
    time: str,
    output: str | None,
    cpus: int | None,
    **directives: str | None,
) -> None:
    """Print a Slurm script that trains EXPERIMENT as a job array, one shard in each task.

    Tasks stop in time with a checkpoint; submit the same script again to go on with what is
    missing. Other options of sbatch can be given to sbatch itself, whose command line wins over the
    script: sbatch --qos=long sweep.sh"""
    from fracsim.machine.slurm import ArrayJob
    from fracsim.products.points import check_resolution
    from fracsim.products.product import refuse_own_inputs

    experiment = choice.resolve()
    check_resolution(experiment.runs)
    runs = len(experiment.runs)
    output = (output or experiment.name).removesuffix(".h5")
    for task in range(min(shards, runs)):
        refuse_own_inputs(Path(f"{output}-{task}.h5"), experiment)
    job = ArrayJob(
        experiment=experiment.name,
        words=tuple(choice.words()),
        runs=runs,
        shards=shards,
        output=output,
        time=time,
        cpus=cpus or min(MOST_CPUS, -(-runs // shards)),
        directives=tuple(directives.items()),
    )
    click.echo(job.script(fracsim.__version__), nl=False)
