"""Where the commands start: before anything else is loaded, so that Ctrl-C ends them as documented
at any moment."""

import gc
import os
import sys

from fracsim.cli import ABORTED

# Loading packages and kernels makes a hundred thousand objects and hardly any garbage: at Python's
# own 700 objects between two collections, a twelfth of a command's start goes into looking for it.
gc.set_threshold(20_000, 20, 20)


def main() -> None:
    """The command ``fracsim``."""
    try:
        from fracsim.cli.app import main as run

        run()
    except KeyboardInterrupt:
        leave()


def plot() -> None:
    """The command ``fracsim-plot``."""
    try:
        from fracsim.cli.plot import main as run

        run()
    except KeyboardInterrupt:
        leave()


def leave() -> None:
    """End the process at once: it has done nothing yet, or is at its end."""
    try:
        print("Error: interrupted.", file=sys.stderr, flush=True)
    finally:
        os._exit(ABORTED)
