"""The commands: options -> library -> output."""

ABORTED = 130
"""Exit code of an abort by Ctrl-C."""
