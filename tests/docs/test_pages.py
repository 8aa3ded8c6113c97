"""What the pages show can be run: every block of every page, in its order, from an empty folder."""

import pytest
from pages import PAGES, RUNNABLE, fenced, run_page
from places import TOP

QUICK = {"api.md", "kernels.md", "fractals.md", "curves.md", "README.md of studies"}
"""Pages that take seconds; the others are ``slow``."""


def name_of(page):
    inside = page.parent.relative_to(TOP)
    return page.name if inside.name != "studies" else f"{page.name} of studies"


def runnable():
    for page in PAGES:
        if any(block.runs for block in fenced(page)):
            marks = [pytest.mark.compiled]
            if name_of(page) not in QUICK:
                marks += [pytest.mark.slow, pytest.mark.timeout(3600)]
            yield pytest.param(page, marks=marks, id=name_of(page))


@pytest.mark.parametrize("page", list(runnable()))
def test_all_blocks_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page):
    """A command that no test runs says so: by ``elsewhere``."""
    for block in fenced(page):
        assert block.word in ("", "elsewhere") or block.language == "toml", block
        assert block.language in (*RUNNABLE, "text", "matlab", "c"), block
