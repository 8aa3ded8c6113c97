"""``fracsim``: the entry point and its commands, each a module of this folder that is imported only
when called."""

import os
import sys

import click

from fracsim.cli.frame import Frame, example, version_option

ABORTED = 130
"""Exit code of an abort by Ctrl-C."""

COMMANDS = {
    "sample": "Draw labelled points of a fractal distribution into a file.",
    "train": "Train one network and record how it learns.",
    "sweep": "Train every network of an experiment.",
    "slurm-script": "Print a Slurm job array that trains a sweep in shards.",
    "construct": "Build the explicit network of Theorem 1 or 3, and try it.",
    "show": "Show a fractal, a curve or an experiment in words and numbers.",
    "bounds": "Tell what the paper's theorems say of networks of given depths and widths.",
    "gradient": "Take gradients of random networks over a whole distribution (Theorem 5).",
    "regions": "Count the linear regions of a network exactly.",
    "status": "Say what files hold and how far their runs are.",
    "check": "Read files to the last value: valid? complete? which records?",
    "merge": "Make one file from those of all shards.",
    "export": "Write a file's records or points as CSV.",
    "doctor": "Check this machine: versions, SIMD, threads, CUDA, kernels.",
    "warmup": "Compile all kernels now, so that later commands start at once.",
}


@click.group(
    cls=Frame,
    lazy=COMMANDS,
    epilog=example(
        "fracsim sweep cantor5-depth-width --quick -o quick.h5",
        "fracsim-plot depth-width quick.h5 -o quick.png",
    ),
)
@version_option
def command() -> None:
    """Which fractal distributions can a deep ReLU network express, and which can it learn?

    Every option of every command can also be given as an environment variable: --threads as
    FRACSIM_THREADS. The command line wins over the environment, the environment over an
    experiment's TOML. FRACSIM_DEBUG=1 shows where an error comes from."""


def main() -> None:
    """Run ``fracsim`` with the process's arguments; ends the process with its exit code."""
    try:
        command(prog_name="fracsim")
    except SystemExit as leaving:
        if (
            leaving.code == ABORTED
        ):  # by a second Ctrl-C: the interpreter would wait for threads that compile
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ABORTED)
        raise


if __name__ == "__main__":
    main()
