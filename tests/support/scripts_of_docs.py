"""Scripts of docs/ as modules."""

import importlib.util

from places import TOP


def script_of_docs(name: str):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location("script", TOP / "docs" / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
