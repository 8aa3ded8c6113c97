"""Where the commands start: before anything else is loaded, so that Ctrl-C ends them as documented
at any moment."""

import os
import sys

from fracsim.cli import ABORTED


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
