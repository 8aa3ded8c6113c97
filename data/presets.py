"""The TOML files that ship inside the package: fractals, experiments and the paper's tables."""

from importlib.resources import files
from importlib.resources.abc import Traversable

KINDS = ("fractals", "experiments", "paper")


def preset_names(kind: str) -> list[str]:
    """Names (without ``.toml``) of the shipped files of one kind, one of ``KINDS``, in alphabetical
    order."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _folder(kind).iterdir()
        if entry.name.endswith(".toml")
    )


def preset_text(kind: str, name: str) -> str:
    """The text of one shipped file; KeyError where the kind has no preset of that name."""
    if name not in preset_names(kind):
        raise KeyError(f"no preset '{name}' among the {kind}")
    return _folder(kind).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _folder(kind: str) -> Traversable:
    if kind not in KINDS:
        raise KeyError(f"no presets of kind '{kind}': {', '.join(KINDS)}")
    return files(f"fracsim.data.{kind}")
