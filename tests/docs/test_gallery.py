"""The gallery has every figure, and its page is what its list says. (That its commands run is
tested with those of all pages.)"""

import importlib.util
import shlex

import click
from places import TOP

from fracsim.cli import plot

spec = importlib.util.spec_from_file_location("gallery", TOP / "docs" / "gallery.py")
gallery = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gallery)


def test_every_command_of_fracsim_plot_is_there():
    shown = {shlex.split(figure["command"])[1] for figure in gallery.figures()}
    names = set(plot.command.list_commands(click.Context(plot.command)))
    assert names - shown == {"report"}  # a page, no picture


def test_the_page_is_made_of_the_list_and_has_its_pictures():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page()
    for figure in gallery.figures():
        assert 1_000 < gallery.image_of(figure).stat().st_size < 1_000_000, figure["name"]
