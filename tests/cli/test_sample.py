"""``fracsim sample``: the same points for any number of threads or blocks, whole files, and its
error sentences."""

import json
import os
import shutil
import warnings
from collections import namedtuple

import numpy as np
import pytest
from command_line import fracsim

from fracsim.data.samples import read_samples
from fracsim.fractals import sampling
from fracsim.training.run import make_run


@pytest.mark.compiled
def test_the_command_of_the_manual(tmp_path):
    path = tmp_path / "points.h5"
    line = (
        f"sample vicsek --fractal-depth 5 --curve 4 --count 100000 --seed 7 --threads 1 -o {path}"
    )
    result = fracsim(*line.split())
    assert result.code == 0, result.err
    assert "100,000 points" in result.out
    x, y, level, attributes = read_samples(path)
    assert (x.shape, y.shape, level.shape) == ((100000, 2), (100000,), (100000,))
    assert (x.dtype, y.dtype, level.dtype) == (np.float64, np.int8, np.int16)
    expected = make_run({"fractal": "vicsek", "curve": "4"}).distribution().sample(100000, 7)
    assert np.array_equal(x, expected.x)
    assert np.array_equal(y, expected.y)
    assert np.array_equal(level, expected.level)
    assert attributes["fractal"] == "vicsek"
    assert (attributes["fractal_depth"], attributes["curve"], attributes["seed"]) == (5, "4", 7)
    assert json.loads(attributes["fractal_definition"])["name"] == "vicsek"


def test_the_file_opens_in_xarray_without_arguments_or_warnings(tmp_path):
    xarray = pytest.importorskip("xarray")
    path = tmp_path / "points.h5"
    assert fracsim("sample", "cantor1d", "--count", 50, "-o", path, "--threads", 1).code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_dataset(path) as dataset:
            assert dict(dataset.sizes) == {"point": 50, "dim": 1}
            assert set(dataset.data_vars) == {"x", "y", "level"}


def test_points_depend_on_neither_threads_nor_blocks(tmp_path, monkeypatch):
    files = []
    for threads, block in ((1, 1 << 18), (3, 7), (2, 64)):
        monkeypatch.setattr(sampling, "BLOCK", block)
        files.append(tmp_path / f"{threads}.h5")
        options = ["--count", 200, "--threads", threads, "--negative-margin", "0.05"]
        assert fracsim("sample", "pentaflake", *options, "-o", files[-1]).code == 0
    first, *others = (read_samples(path) for path in files)
    for other in others:
        assert np.array_equal(first.x, other.x)
        assert np.array_equal(first.level, other.level)


def test_more_points_begin_with_the_fewer(tmp_path):
    for count in (10, 30):
        fracsim(
            "sample", "cantor", "--count", count, "--threads", 1, "-o", tmp_path / f"{count}.h5"
        )
    few, many = read_samples(tmp_path / "10.h5"), read_samples(tmp_path / "30.h5")
    assert np.array_equal(few.x, many.x[:10])


def test_json_and_quiet(tmp_path):
    path = tmp_path / "a.h5"
    result = fracsim("sample", "cantor", "--count", "1e3", "--threads", 2, "-o", path, "--json")
    summary = json.loads(result.out)
    assert result.err == ""
    assert summary["output"] == str(path)
    assert (summary["count"], summary["dimension"], summary["threads"]) == (1000, 2, 2)
    assert summary["curve_values"][0] == 0.5
    assert summary["curve_observed"] == pytest.approx(summary["curve_values"], abs=0.08)
    assert summary["positives"] == int((read_samples(path).y > 0).sum())
    assert fracsim("sample", "cantor", "--count", 9, "--threads", 1, "-o", tmp_path / "b.h5", "-q")[
        1:
    ] == ("", "")


def test_observed_curve_counts_negatives():
    y, level = np.array([1, 1, -1, -1, -1]), np.array([2, 2, 0, 1, 1])
    assert sampling.observed_curve(y, level, 2) == pytest.approx([0.4, 0.6, 1.0])


def test_overwrite(tmp_path):
    path = tmp_path / "a.h5"
    fracsim("sample", "cantor", "--count", 5, "--threads", 1, "-o", path)
    before = path.read_bytes()
    result = fracsim("sample", "cantor", "--count", 6, "--threads", 1, "-o", path)
    assert result.code == 1
    assert "exists already" in result.sentence
    assert "--overwrite" in result.sentence
    assert (
        fracsim("sample", "cantor", "--gap", "x", "-o", path).code == 2
    )  # what is wrong in any folder comes first
    assert path.read_bytes() == before
    assert (
        fracsim("sample", "cantor", "--count", 6, "--threads", 1, "-o", path, "--overwrite").code
        == 0
    )
    assert len(read_samples(path).y) == 6


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["vicsec"], ["'vicsec'", "did you mean 'vicsek'?"]),
        (["vicsek", "--curve", "polynom:3"], ["'polynom:3'", "did you mean 'polynomial'?"]),
        (["vicsek", "--curve", "0.5,0.4,0.6,0.7,0.8,1"], ["never falls"]),
        (["vicsek", "--curve", "0.5,1"], ["6 values"]),
        (["vicsek", "--fractal-depth", "60"], ["60", "float64", "greatest depth"]),
        (["vicsek", "--fractal-depth", "0"], ["--fractal-depth", "0", "from 1"]),
        (["vicsek", "--fractal-depth", "2.5"], ["--fractal-depth", "'2.5'", "whole number"]),
        (["vicsek", "--count", "0"], ["--count", "'0'"]),
        (["vicsek", "--count", "-5"], ["--count", "'-5'"]),
        (["vicsek", "--count", "nan"], ["--count", "'nan'"]),
        (["vicsek", "--count", "1e300"], ["--count", "'1e300'", "from 1 to 1e+18"]),
        (["vicsek", "--curve", "finest:" + "9" * 5000], ["finest:M"]),
        (["cantor:" + "9" * 5000], ["unknown fractal"]),
        (["vicsek", "--seed", "-1"], ["--seed", "-1"]),
        (["vicsek", "--seed", "x"], ["--seed", "'x'"]),
        (["vicsek", "--gap", "center"], ["--gap", "'center'", "complement, centre"]),
        (["vicsek", "--gap", "centre"], ["centre", "map 5"]),
        (["vicsek", "--positive-margin", "nan"], ["--positive-margin", "nan"]),
        (["vicsek", "--negative-margin", "1"], ["--negative-margin", "1"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_is_one_sentence_and_leaves_no_file(tmp_path, arguments, parts):
    result = fracsim("sample", *arguments, "--threads", 1, "-o", tmp_path / "points.h5")
    assert result.code == 2
    for part in parts:
        assert part in result.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", ["1e15", 10**18])
def test_an_absurd_count_is_refused_before_any_work(tmp_path, count):
    result = fracsim(
        "sample", "cantor", "--count", count, "--threads", 1, "-o", tmp_path / "points.h5"
    )
    assert result.code == 1
    assert "--count" in result.sentence
    assert "free" in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_seen_before_any_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**6, 10**6 - 100, 100))
    result = fracsim("sample", "cantor", "--count", 6, "--threads", 1, "-o", tmp_path / "points.h5")
    assert result.code == 1
    assert "--count 6 needs 114 B" in result.sentence
    assert "100 B" in result.sentence


def test_places_where_no_file_can_be_made(tmp_path):
    missing = fracsim("sample", "cantor", "-o", tmp_path / "no" / "points.h5")
    assert missing.code == 1
    assert f"{tmp_path / 'no'}" in missing.sentence
    folder = fracsim("sample", "cantor", "-o", tmp_path)
    assert folder.code == 1
    assert "folder" in folder.sentence
    device = fracsim("sample", "cantor", "-o", "/dev/null", "--overwrite")
    assert device.code == 1
    assert "device" in device.sentence


def test_a_read_only_folder(tmp_path, monkeypatch):
    tmp_path.chmod(0o555)
    if os.geteuid() == 0:  # root may write anyway
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    try:
        result = fracsim(
            "sample", "cantor", "--count", 5, "--threads", 1, "-o", tmp_path / "points.h5"
        )
    finally:
        tmp_path.chmod(0o755)
    assert result.code == 1
    assert "not writable" in result.sentence
    assert str(tmp_path) in result.sentence


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("fracsim.data.trailer.append", stop)
    result = fracsim("sample", "cantor", "--count", 5, "--threads", 1, "-o", tmp_path / "points.h5")
    assert result.code == 130
    assert list(tmp_path.iterdir()) == []
