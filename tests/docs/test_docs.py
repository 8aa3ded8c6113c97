"""The documentation is true: its Python runs, its commands parse, and nothing public is left
out."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest
from images import small_images, write_npz
from pages import PAGES, blocks
from places import TOP
from scripts_of_docs import script_of_docs

import fracsim
from fracsim.cli import app, plot
from fracsim.errors import nearest
from fracsim.experiments.experiment import experiment_names, load_experiment
from fracsim.fractals.fractal import load_fractal
from fracsim.studies import STUDIES
from fracsim.training.run import SETTINGS
from fracsim.values.settings import key_of

GROUPS = {"fracsim": app.command, "fracsim-plot": plot.command}


def test_fractal_files_of_the_docs_are_fractals(tmp_path):
    mine, grid = blocks(TOP / "docs" / "fractals.md", "toml")
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    (tmp_path / "grid.toml").write_text(grid, encoding="utf-8")
    assert load_fractal(tmp_path / "mine.toml").maps == 3
    assert load_fractal(tmp_path / "grid.toml").maps == 4
    assert load_fractal(f"{tmp_path}/grid.toml:3").maps == 8


def test_the_experiment_of_the_docs_has_the_runs_it_says(tmp_path):
    page = TOP / "docs" / "experiments.md"
    (tmp_path / "mine.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    runs = load_experiment(tmp_path / "mine.toml").runs
    assert f"= {len(runs)} runs" in page.read_text(encoding="utf-8")
    assert len(load_experiment(tmp_path / "mine.toml", quick=True).runs) < len(runs)


def test_the_table_of_keys_is_that_of_the_code():
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$",
        (TOP / "docs" / "experiments.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    said = {
        key: (default, accepted, about) for key, default, accepted, about in rows if key in SETTINGS
    }
    assert list(said) == list(SETTINGS)
    for key, setting in SETTINGS.items():
        default = getattr(fracsim.Run, key)
        shown = setting.optional if default is None else f"`{default}`"
        assert said[key] == (shown, setting.accepted, setting.about), key


def test_the_table_of_curves_is_that_of_the_code():
    text = (TOP / "docs" / "curves.md").read_text(encoding="utf-8")
    for name in "123456":
        (row,) = re.findall(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE)
        said = [float(cell) for cell in row.split("|")]
        assert said == fracsim.parse_curve(name).values(len(said) - 1).round(4).tolist()


def a_teacher(folder):
    """A network to imitate."""
    product = fracsim.STUDIES["multiply"]
    settings = product.make({"factors": 2, "construction": "relu", "order": 1, "count": 10})
    product.write(folder / "teacher.h5", settings, product.result(settings))
    return {"teacher": str(folder / "teacher.h5")}


def some_images(folder):
    """As large and as few as the experiments on images take."""
    found = small_images(10_000, side=24, classes=10)
    return {"images": str(write_npz(folder / "images.npz", found, found)), "batch_size": 5}


NEEDED = {
    "distil-cantor3": a_teacher,
    "cifar10-depth-width": some_images,
    "fashion-depth-width": some_images,
}
"""Experiments that need a file -> what makes one."""


def test_the_table_of_shipped_experiments_counts_their_runs(tmp_path):
    text = (TOP / "docs" / "experiments.md").read_text(encoding="utf-8")
    for name in experiment_names():
        family, _, kind = name.partition("-")
        row = next(
            line
            for line in text.splitlines()
            if line.startswith((f"| `{name}`", f"| `{family}-…`"))
            or f"`{family}-…`" in line.partition(" | ")[0]
        )
        needed = NEEDED[name](tmp_path) if name in NEEDED else {}
        full, quick = (
            len(load_experiment(name, is_quick, needed).runs) for is_quick in (False, True)
        )
        columns = [cell.strip() for cell in row.split("|")[3:5]]
        place = ("depth-width", "curves").index(kind) if "…" in row.partition(" | ")[0] else 0
        said = [
            int(re.findall(r"\d+", cell.partition("(")[0].partition(":")[0])[place])
            for cell in columns
        ]
        assert said == [full, quick], row


# --- commands -------------------------------------------------------------------------------------


def commands(page: Path) -> list[list[str]]:
    """The fracsim commands in the blocks of a page, each as a list of words; without variables and
    pipes."""
    found = []
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            if not re.match(
                r"\s*(\$ )?([A-Z_]+=\S+ )*(fracsim(-plot)? |.*&& fracsim(-plot)? )", line
            ):
                continue
            lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, "&&"]:
                if set(word) <= set("&|;<>()"):
                    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                        words = words[1:]
                    if words and words[0] in GROUPS:
                        found.append(words)
                    words = []
                else:
                    words.append(word)
    return found


def parse(words: list[str]) -> None:
    """Fail unless click takes every word: the command exists, its options too, their values fit.
    Runs nothing."""
    command: click.Command = GROUPS[words[0]]
    context, rest = click.Context(command, info_name=words[0]), words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"no such command: {' '.join(words)}"
        command, rest = found, rest[1:]
        context = click.Context(command, info_name=words[0], parent=context)
    if {"--help", "--version"} & set(rest):
        return
    command.make_context(words[0], rest, parent=context.parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page, monkeypatch):
    for variable in ("COUNT", "OUTPUT", "FRACTAL", "CURVE", "DEPTH", "SEED", "THREADS"):
        monkeypatch.delenv(f"FRACSIM_{variable}", raising=False)
    for words in commands(page):
        line = " ".join(words)
        try:
            parse(words)
        except click.ClickException as error:
            pytest.fail(f"{page.name}: {line}: {error.format_message()}")
        for place, word in enumerate(words):
            if word == "--set":
                assert key_of(words[place + 1].partition("=")[0], SETTINGS) in SETTINGS, line
        name = (
            words[3]
            if words[1:3] == ["show", "experiment"]
            else words[2]
            if words[1:2] == ["sweep"]
            else "-"
        )
        if not name.startswith("-") and not name.endswith(".toml"):
            assert name in experiment_names(), line + nearest(name, experiment_names())


def test_commands_are_found_and_wrong_ones_are_refused():
    assert len(commands(TOP / "docs" / "commands.md")) >= 4
    for wrong in (
        "fracsim sampel vicsek -o x.h5",
        "fracsim sample vicsek --cout 5 -o x.h5",
        "fracsim sample vicsek",
        "fracsim-plot curves --fractal-depth x -o c.pdf",
    ):
        with pytest.raises((click.ClickException, AssertionError)):
            parse(wrong.split())


# --- nothing is left out --------------------------------------------------------------------------


def test_every_public_name_has_its_heading_and_its_example():
    text = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### `(\w+)`$", text, re.MULTILINE)) == fracsim.__all__
    code = "\n".join(blocks(TOP / "docs" / "api.md", "python"))
    for name in fracsim.__all__:
        assert f"fracsim.{name}" in code, name


def names_of(group: click.Group, path: str) -> list[str]:
    """Every command below a group, as typed."""
    found = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        found.append(f"{path} {name}")
        if isinstance(command, click.Group):
            found += names_of(command, found[-1])
    return found


def test_every_command_is_documented():
    text = (TOP / "docs" / "commands.md").read_text(encoding="utf-8")
    figures = (TOP / "docs" / "figures.md").read_text(encoding="utf-8")
    for path in names_of(GROUPS["fracsim"], "fracsim"):
        assert path.split()[-1] in STUDIES or f"| `{path}" in text, path
    for path in names_of(GROUPS["fracsim-plot"], "fracsim-plot"):
        name = path.split()[-1]
        assert name in STUDIES or re.search(rf"^\| `{name}\b", figures, re.MULTILINE), path


def test_every_study_has_its_row_and_its_page():
    """The table is that of the declarations: `python docs/studies/table.py` writes it."""
    folder = TOP / "docs" / "studies"
    text = (folder / "README.md").read_text(encoding="utf-8")
    table = script_of_docs("studies/table.py").table
    assert f"\n{table(STUDIES)}\n" in text
    for name, study in STUDIES.items():
        page = (folder / f"{name}.md").read_text(encoding="utf-8")
        for variable in study.variables:
            assert f"`{variable.name}`" in page, (name, variable.name)
        for form in study.format.forms:
            assert f"`{form}`" in page, (name, form)


def test_the_atlas_is_what_its_rows_say():
    """`python docs/atlas.py` writes it; every row has been run, and names a command that is."""
    atlas = script_of_docs("atlas.py")
    rows, numbers = atlas.rows(), json.loads(atlas.NUMBERS.read_text(encoding="utf-8"))
    assert atlas.PAGE.read_text(encoding="utf-8") == atlas.page(rows, numbers)
    assert set(numbers) == {row["name"] for row in rows if "untested" not in row}
    for row in rows:
        assert row["study"] in (*STUDIES, "training")
        for commands in filter(None, (row.get("command"), row.get("figure"))):
            for command in commands.split(" && "):
                parse(shlex.split(command))


@pytest.mark.slow
def test_the_numbers_of_the_atlas_come_out_again(tmp_path):
    atlas = script_of_docs("atlas.py")
    numbers = json.loads(atlas.NUMBERS.read_text(encoding="utf-8"))
    for row in atlas.rows():
        if "untested" in row:
            continue
        assert atlas.number(row, tmp_path) == pytest.approx(numbers[row["name"]], rel=1e-6)
        for path in tmp_path.iterdir():
            path.unlink()


@pytest.mark.parametrize("name", ["paper", "cost"])
def test_pages_of_results_are_what_their_scripts_write(name, monkeypatch):
    """`python docs/NAME.py` writes docs/NAME.md from what is kept beside it; without new results
    its text stays, byte for byte."""
    monkeypatch.syspath_prepend(TOP / "docs")
    page = (TOP / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page == script_of_docs(f"{name}.py").page()


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = re.sub(
            r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
        for target in re.findall(r"(?<![\w/])docs/[\w-]+\.md", text):
            assert (TOP / target).exists(), f"{page.name}: {target}"
