"""What follows from a declaration, shown on a toy study that one line registers, and what holds for
every study there is."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import click
import numpy as np
import pytest
import toy_study
import trajectory_files as files
import xarray
from command_line import fracsim, run_group
from places import TOP

from fracsim.cli import app, plot
from fracsim.data.errors import FileError
from fracsim.errors import UsageError
from fracsim.studies import STUDIES, open_study
from fracsim.studies.study import load
from fracsim.values.settings import REQUIRED, defaults_of, make_settings, option_name

HEAVY = ("numpy", "h5py", "numba", "matplotlib")


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setitem(STUDIES, "toy", toy_study.STUDY)  # the one line
    monkeypatch.chdir(tmp_path)


def page_table():
    spec = importlib.util.spec_from_file_location("table", TOP / "docs" / "studies" / "table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.table


# --- the toy --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy")
def test_it_has_a_command_with_help_and_example():
    assert "Raise a number to powers." in fracsim("--help").out
    out = fracsim("toy", "--help").out
    for said in (
        "Raise a number to powers.",
        "fracsim toy --base 3 --power 1:4 -o toy.h5",
        "--power LIST",
        "[default: 1,2,3]",
        "--from FILE",
        "--overwrite",
        "--json",
        "--quiet",
    ):
        assert said in " ".join(out.split())
    assert "did you mean 'toy'" in fracsim("toyy").sentence


@pytest.mark.usefixtures("toy")
def test_words_and_json():
    code, out, err = fracsim("toy", "--power", "1:3,10", "--power", 5)
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "the last is 32"
    value = json.loads(fracsim("toy", "--base", 1, "--power", 2, "--json").out)
    assert value.pop("seconds") >= 0
    assert value == {"power": [2], "value": [1.0], "notes": ["base 1 is dull"]}
    assert "note: base 1 is dull" in fracsim("toy", "--base", 1).out


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_the_file_opens_in_xarray_and_holds_its_settings(engine):
    assert fracsim("toy", "--base", 3, "--power", "1:4", "-o", "toy.h5", "-q") == (0, "", "")
    with xarray.open_dataset("toy.h5", engine=engine) as data:
        assert data.value.dims == ("power",)
        assert data.value.sel(power=4) == 81
        assert json.loads(data.attrs["settings"]) == {"base": 3.0, "power": [1, 2, 3, 4]}
    assert open_study("toy.h5", "toy").arrays["value"].tolist() == [3, 9, 27, 81]
    assert fracsim("check", "toy.h5").out.startswith("toy.h5: valid and complete; a study of kind")
    assert "a study of kind toy" in fracsim("status", "toy.h5").out
    assert fracsim("toy", "-o", "toy.h5").code == 1  # nothing is lost by accident
    assert fracsim("toy", "-o", "toy.h5", "--overwrite", "-q").code == 0


@pytest.mark.usefixtures("toy")
def test_from_a_file_with_options_that_win(monkeypatch):
    fracsim("toy", "--base", 3, "--power", "1:4", "-o", "toy.h5", "-q")
    again = json.loads(fracsim("toy", "--from", "toy.h5", "--json").out)
    assert again["value"] == [3, 9, 27, 81]
    other = json.loads(fracsim("toy", "--from", "toy.h5", "--power", 2, "--json").out)
    assert (other["power"], other["value"]) == ([2], [9])
    monkeypatch.setenv("FRACSIM_BASE", "5")
    assert json.loads(fracsim("toy", "--from", "toy.h5", "--json").out)["value"][0] == 5
    monkeypatch.setenv("FRACSIM_FROM", "toy.h5")
    assert json.loads(fracsim("toy", "--base", 2, "--json").out)["value"] == [2, 4, 8, 16]


@pytest.mark.usefixtures("toy")
def test_the_figure():
    fracsim("toy", "--base", 1, "-o", "toy.h5", "-q")
    done = run_group(plot.command, "fracsim-plot", "toy", "toy.h5", "-o", "toy.png")
    assert (done.code, done.out) == (0, "toy.png\n")
    assert "note: base 1 is dull" in done.err
    assert os.path.getsize("toy.png") > 3000
    help = run_group(plot.command, "fracsim-plot", "toy", "--help").out
    assert "fracsim-plot toy toy.h5 -o toy.png" in help
    assert "A number and its powers." in run_group(plot.command, "fracsim-plot", "--help").out


@pytest.mark.usefixtures("toy")
def test_its_jobs_and_its_row():
    ((name, work),) = STUDIES["toy"].jobs()
    assert (name, work().arrays()["value"]) == ("toy", [2.0])
    assert "| [`fracsim toy`](toy.md) | Raise a number to powers. | `toy` |" in page_table()(
        STUDIES
    )


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--power", "x"], 2, "power (--power) is 'x'; accepted are whole numbers from 0 to 99"),
        (["--power", "1:100"], 2, "from 0 to 99"),
        (["--base", "1e4"], 2, "base (--base) is 1e4; accepted is a number from -1,000 to 1,000"),
        (["--base", "0", "--power", "0"], 2, "base (--base) is 0"),
        (["--bse", "1"], 2, "did you mean '--base'"),
        (["-q"], 2, "give an --output, or --json"),
        (["--from", "missing.h5"], 1, "missing.h5"),
        (["--from", "old.h5"], 1, "does not say with which settings"),
        (["--from", "other.h5"], 1, "holds a study of kind 'bounds', not 'toy'"),
        (["--from", "alien.h5"], 1, "settings of `fracsim toy`: unknown key 'basis'"),
        (["--from", "list.h5"], 1, "they are no JSON object"),
        (["--from", "deep.h5"], 1, "they are no JSON object"),
        (["-o", "nowhere/toy.h5"], 1, "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(options, code, says):
    study = STUDIES["toy"]
    result = study.run()
    for name, text in (
        ("old", None),
        ("alien", '{"basis": 3}'),
        ("list", "[1, 2"),
        ("deep", "[" * 20_000),
    ):
        study.write(f"{name}.h5", toy_study.Settings(), result)
        files.changed(Path(f"{name}.h5"), lambda root, text=text: resettle(root, text))
    fracsim("bounds", "cantor", "--depth", 1, "-o", "other.h5", "-q")
    before = sorted(os.listdir())
    done = fracsim("toy", *options)
    assert (done.code, done.out) == (code, "")
    assert says in done.sentence
    assert sorted(os.listdir()) == before


def test_from_python():
    study = toy_study.STUDY
    assert study.run(base=3, power="1,2").arrays()["value"] == [3, 9]
    with pytest.raises(UsageError, match="unknown key 'bas'"):
        study.run(bas=1)
    with pytest.raises(UsageError, match="unknown kind of study 'boundz'; did you mean 'bounds'"):
        open_study("x.h5", "boundz")


def resettle(root, text):
    del root.attrs["settings"]
    if text is not None:
        root.attrs["settings"] = text


# --- all there are --------------------------------------------------------------------------------

ALL = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def test_no_help_needs_anything_heavy():
    """``--help`` of every command, where importing a heavy package raises."""
    script = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {HEAVY}:\n"
        "            raise AssertionError('imports ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import click\n"
        "from click.testing import CliRunner\n"
        "from fracsim.cli import app, plot\n"
        "for group in (app.command, plot.command):\n"
        "    for name in [None, *group.list_commands(click.Context(group))]:\n"
        "        words = ['--help'] if name is None else [name, '--help']\n"
        "        done = CliRunner().invoke(group, words, standalone_mode=False)\n"
        "        assert done.exit_code == 0 and done.output, (words, done.exception)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 0, done.stderr


@ALL
def test_a_declaration_names_what_there_is(study):
    assert callable(load(study.compute))
    assert study.figure is None or callable(load(study.figure.function))
    assert not study.checks or callable(load(study.checks))
    names = [variable.name for variable in study.variables]
    assert len(set(names)) == len(names)
    for variables in study.format.forms.values():
        assert set(variables) <= set(names)
    for accepts in study.keys.values():
        assert set(accepts.excludes) <= set(study.keys)
    assert len({option_name(key, accepts) for key, accepts in study.keys.items()}) == len(
        study.keys
    )


@ALL
def test_defaults_are_accepted(study):
    defaults = defaults_of(study.settings)
    needed = {key: "cantor" for key in study.keys if defaults[key] is REQUIRED}
    for key, default in defaults_of(study.settings).items():
        if key in study.keys and default is not REQUIRED and default is not None:
            assert study.keys[key].holds(default), key
    if not {"file", "random"} <= set(study.keys):  # which need a FILE or --random
        make_settings(study.settings, needed)
    for values in study.warmup:
        make_settings(study.settings, values)


WITHOUT_KERNELS = {"conjecture", "distil", "meanfield"}
"""Studies that call no kernel of their own, and have nothing to warm up."""


def test_every_study_with_kernels_warms_them_up():
    assert {name for name, study in STUDIES.items() if not study.warmup} == WITHOUT_KERNELS


@pytest.mark.parametrize(
    "study",
    [study for name, study in STUDIES.items() if name not in WITHOUT_KERNELS],
    ids=lambda study: study.name,
)
@pytest.mark.compiled
def test_warmup_computes_and_a_file_of_it_runs_again(study, tmp_path):
    """Every form: the file is valid, says its form, and --from it gives the same arrays."""
    for values in study.warmup:
        settings = make_settings(study.settings, values)
        result = study.result(settings)
        path = tmp_path / "a.h5"
        study.write(path, settings, result)
        held = study.read(path)
        assert held.form == result.form
        assert fracsim("check", path).code == 0
        assert result.words()
        assert json.dumps(study.kept(settings))
        again = fracsim(study.name, "--from", path, "-o", tmp_path / "b.h5", "--json")
        assert again.code == 0, again.err
        for name, array in study.read(tmp_path / "b.h5").arrays.items():
            np.testing.assert_array_equal(array, held.arrays[name])
        os.remove(tmp_path / "b.h5")


@ALL
@pytest.mark.compiled
def test_checks_of_the_doctor_pass(study):
    for name, deviation, accepted in study.run_checks():
        assert deviation <= accepted, name


def test_the_fractal_of_a_file_is_used_when_its_own_has_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (TOP / "data" / "fractals" / "cantor1d.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    wanted = ["bounds", "mine.toml", "--fractal-depth", 3, "--depth", 1, "--width", 10]
    assert fracsim(*wanted, "-o", "b.h5", "-q").code == 0
    os.remove("mine.toml")
    again = fracsim("bounds", "--from", "b.h5", "--json")
    assert json.loads(again.out)["maps"] == 2
    assert fracsim("bounds", "--from", "b.h5", "mine.toml").code == 2


def test_what_is_missing_or_would_be_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "FRACTAL is missing" in fracsim("bounds").sentence
    (tmp_path / "mine.toml").write_text("text")
    done = fracsim("bounds", "mine.toml", "-o", "mine.toml", "--overwrite")
    assert "mine.toml is a file to read" in done.sentence
    assert (tmp_path / "mine.toml").read_text() == "text"


def test_a_study_has_the_name_of_its_folder_and_is_read_when_it_is_asked_for():
    assert all(study.name == name for name, study in STUDIES.items())
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from fracsim.cli.app import command; import atexit\n"
            "atexit.register(lambda: print([n for n in sys.modules if n.endswith('.declaration')]))"
            "\ncommand.main(['regions', '--help'], prog_name='fracsim')",
        ],
        capture_output=True,
        text=True,
        cwd=TOP,
    )
    assert done.stdout.endswith("['fracsim.studies.regions.declaration']\n"), done


def test_settings_of_studies_are_frozen():
    for study in STUDIES.values():
        assert study.settings.__dataclass_params__.frozen
        assert dataclasses.fields(study.settings)


def test_a_study_of_another_version_of_the_program_is_told(tmp_path):
    """A form that there is not, and variables that its form must have."""
    study = STUDIES["regions"]
    settings = make_settings(study.settings, study.warmup[2])
    result = study.result(settings)
    path = tmp_path / "r.h5"
    for change, says in (
        (lambda root: root.attrs.modify("form", "cube"), "unknown form 'cube'"),
        (lambda root: root.pop("segment_regions"), "it has no 'segment_regions'"),
    ):
        study.write(path, settings, result)
        files.changed(path, change)
        with pytest.raises(FileError, match=says):
            study.read(path)
    study.write(path, settings, result)
    files.changed(path, lambda root: root.attrs.pop("form"))  # as version 0.1.0 wrote it
    assert study.read(path).form == "lines"


def test_files_of_version_0_1_0_stay_readable(tmp_path, monkeypatch):
    """Written by the last revision that knew no forms and kept no settings."""
    monkeypatch.chdir(tmp_path)
    with tarfile.open(TOP / "tests" / "data" / "version_0_1_0" / "studies.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    forms = {path.stem: open_study(path).form for path in tmp_path.glob("*.h5")}
    named = {name: name for name in ("plane", "segment", "lines", "training")}
    assert forms == {"network": "", "bounds": "", "gradient": "", **named}
    for name in forms:
        assert fracsim("check", f"{name}.h5").code == 0
        kind = open_study(f"{name}.h5").kind
        figure = "decision" if kind == "network" else kind
        done = run_group(plot.command, "fracsim-plot", figure, f"{name}.h5", "-o", f"{name}.png")
        assert done.code == 0, done.err
        command = "construct" if kind == "network" else kind
        done = fracsim(command, "--from", f"{name}.h5", "-o", "new.h5")
        assert (done.code, "does not say with which settings" in done.sentence) == (1, True)


def test_commands_of_studies_are_click_commands():
    for group in (app.command, plot.command):
        context = click.Context(group)
        for name in group.declared():
            assert group.get_command(context, name).name == name
