"""Where the checkout, its tests and their helpers are."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TOP = TESTS.parent
HELPERS = [str(TESTS / folder) for folder in ("", "support", "cuda", "cuda/ptx")]
"""The folders whose modules tests import by their bare names (``pythonpath`` in pyproject.toml)."""
