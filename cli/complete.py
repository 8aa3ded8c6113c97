"""What the shell completes beside options and files: names of fractals, curves and experiments.

A shell asks at every press of the key, so nothing heavy is imported and no file is read."""

from collections.abc import Callable, Sequence

import click
from click.shell_completion import CompletionItem

from fracsim.values.settings import Setting

CURVES = ("1", "2", "3", "4", "5", "6", "polynomial:", "finest:")

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _of(names: Callable[[], Sequence[str]], file: bool = False) -> Completer:
    """Completes names; a file where none fits and one may stand there too."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        fitting = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return fitting or [CompletionItem(incomplete, type="file")] * file

    return complete


def _presets(folder: str) -> Callable[[], Sequence[str]]:
    def names() -> Sequence[str]:
        from fracsim.data.presets import preset_names

        return preset_names(folder)

    return names


fractals = _of(_presets("fractals"), file=True)
experiments = _of(_presets("experiments"), file=True)
curves = _of(lambda: CURVES)

_BY_KEY = {"fractal": fractals, "curve": curves, "curves": curves, "experiment": experiments}


def values_of(key: str, accepts: Setting) -> Completer | None:
    """What completes a value of a setting; None where there is nothing to choose from."""
    if accepts.choices:
        choices = tuple(map(str, accepts.choices))
        return _of(lambda: choices)
    return _BY_KEY.get(key)
