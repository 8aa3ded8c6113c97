"""Where compiled kernels are kept: a folder for each package, named after what it depends on, and
entries whose damage costs one compilation and one sentence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import TOP

from fracsim.kernels import cache


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the kernels that may be edited, seen by functions that forget what they knew."""
    top = tmp_path / "kernels"
    shutil.copytree(TOP / "kernels", top, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "_TOP", top)
    forget()
    yield top
    forget()


def forget():
    for function in (
        cache.package_of,
        cache._sources,
        cache.needed_by,
        cache.source_hash,
        cache.cache_folder,
    ):
        function.cache_clear()


PACKAGES = sorted(
    [place.parent.name for place in (TOP / "kernels").glob("*/__init__.py")] + [*cache._FILES]
)


def a_source(top, package):
    """A file of a package that is not empty."""
    alone = top / f"{package}.py"
    files = (alone, *(top / package).glob("*.py"))
    return next(file for file in files if file.exists() and file.stat().st_size)


@pytest.mark.parametrize("edited", PACKAGES)
def test_an_edit_compiles_anew_what_depends_on_it_and_nothing_else(edited, copy):
    before = {name: cache.source_hash(name) for name in PACKAGES}
    needs = {name: cache.needed_by(name) for name in PACKAGES}
    source = a_source(copy, edited)
    source.write_text(source.read_text() + "# edited\n")
    forget()
    changed = {name for name in PACKAGES if cache.source_hash(name) != before[name]}
    assert changed == {name for name in PACKAGES if edited in needs[name]}
    assert edited in changed


def test_regions_and_training_are_apart_and_both_stand_on_networks():
    assert "regions" not in cache.needed_by("training")
    assert "training" not in cache.needed_by("regions")
    assert {"network", "points", "random"} <= set(cache.needed_by("training"))


@pytest.mark.parametrize("source", sorted(f.name for f in (TOP / "kernels").glob("*.py")))
def test_every_file_beside_the_packages_that_makes_kernels_is_looked_at(source):
    makes = "from fracsim.kernels.jit import" in (TOP / "kernels" / source).read_text()
    assert makes == (Path(source).stem in cache._FILES)


def test_a_module_of_one_file_is_needed_by_the_packages_that_import_it():
    assert "norms" in cache.needed_by("regions")
    assert "norms" in cache.needed_by("random_networks")
    assert cache.needed_by("norms") == ("norms",)
    assert cache.package_of("fracsim.kernels.norms") == "norms"
    assert cache.package_of("a.stranger") == cache.package_of("fracsim.kernels") == ""
    assert any(folder.name.startswith("norms-") for folder in cache.folders())


@pytest.mark.parametrize("tool", cache._TOOLS)
def test_an_edited_tool_compiles_all_anew(tool, copy):
    before = {name: cache.source_hash(name) for name in PACKAGES}
    (copy / tool).write_text((copy / tool).read_text() + "# edited\n")
    forget()
    assert all(cache.source_hash(name) != before[name] for name in PACKAGES)


MODULE = """
from fracsim.kernels.jit import kernel

@kernel
def doubled(x):
    return x + x
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A new process that doubles 21 with a kernel of ``folder``."""
    script = (
        "import warnings; warnings.simplefilter('always'); import mine; print(mine.doubled(21))"
    )
    paths = [str(folder), str(TOP)]
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder with a module of one kernel, compiled and kept; and what is kept, by file."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MODULE)
    done = run(folder, NUMBA_CACHE_DIR=str(folder / "kept"))
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
    assert list(folder.rglob("*.nbi")), "nothing was kept"
    return folder, {file: file.read_bytes() for file in folder.rglob("*.nb?")}


@pytest.fixture
def mine(compiled):
    """The folder as it was once the kernel was compiled; and where kernels are kept."""
    folder, contents = compiled
    for file in set(folder.rglob("*.nb?")) - set(contents):
        file.unlink()
    for file, data in contents.items():
        file.write_bytes(data)
    return folder, folder / "kept"


def test_a_folder_of_the_users_own_holds_folders_of_ours(mine):
    _, kept = mine
    assert all("-" in file.relative_to(kept).parts[0] for file in kept.rglob("*.nb?"))


@pytest.mark.compiled
@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "noise"])
def test_a_damaged_entry_is_compiled_anew_and_told_once(mine, ending, damage):
    folder, kept = mine
    for file in kept.rglob(f"*{ending}"):
        data = file.read_bytes()
        file.write_bytes({"emptied": b"", "cut": data[:20], "noise": b"\x80\x04noise"}[damage])
    done = run(folder, NUMBA_CACHE_DIR=str(kept))
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
    said = "UserWarning: fracsim: a compiled kernel that was kept is damaged"
    assert done.stderr.count(said) == 1, done.stderr
    again = run(folder, NUMBA_CACHE_DIR=str(kept))
    assert (again.stdout, again.stderr) == ("42\n", "")


def test_without_a_home_kernels_are_compiled_anew_and_told(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache.Path, "home", homeless)
    forget()
    with pytest.warns(UserWarning, match="there is no home folder, so kernels are compiled anew"):
        assert cache.cache_folder() is None
    assert cache.folder_of("network") is None
    forget()


def test_an_unusable_folder_is_told_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    forget()
    with pytest.warns(UserWarning, match="is not writable, so kernels are compiled anew"):
        assert cache.cache_folder() is None
    forget()
