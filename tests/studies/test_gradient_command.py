"""``fracsim gradient`` and its file, as a user meets them."""

import json

import numpy as np
import pytest
import xarray
from command_line import fracsim

from fracsim.kernels.network.shape import Shape
from fracsim.networks.initial import initial_parameters
from fracsim.studies import open_study

QUICK = ["gradient", "cantor1d", "--fractal-depth", 6, "--draws", 5, "--bias", 0.1]


def test_the_command_of_the_issue(tmp_path):
    path = tmp_path / "g.h5"
    result = fracsim(
        "gradient",
        "cantor1d",
        "--fractal-depth",
        40,
        "--curve",
        6,
        "--depth",
        2,
        "--width",
        20,
        "--init",
        "uniform",
        "--bias",
        0.5,
        "--draws",
        50,
        "--seed",
        0,
        "-o",
        path,
        "--json",
    )
    assert (result.code, result.err) == (0, "")
    value = json.loads(result.out)
    assert value["max_abs_gradient"] < 1e-15
    assert value["loss_min"] == pytest.approx(1, abs=1e-15)
    assert value["loss_max"] == pytest.approx(1, abs=1e-15)
    assert (value["n_prime"], value["bound"], value["loss_bound"], value["share_satisfied"]) == (
        28,
        0,
        0.5,
        1,
    )
    assert (value["curve"], value["draws"], value["samples"], value["note"]) == ("6", 50, None, "")
    assert [row["level"] for row in value["by_level"]] == list(range(40))
    assert set(value["by_level"][0]["correlation"]) == {"low", "median", "high"}
    assert value["seconds"] > 0


def test_several_curves_make_several_rows_and_a_missing_bound_is_null(tmp_path):
    result = fracsim(*QUICK, "--curve", 1, "--curve", "finest:2", "-o", tmp_path / "g.h5", "--json")
    value = json.loads(result.out)
    assert [row["curve"] for row in value["curves"]] == ["1", "finest:2"]
    assert "max_abs_gradient" not in value
    assert [row["bound"] for row in value["curves"]] == [None, None]
    assert [row["share_satisfied"] for row in value["curves"]] == [None, None]
    assert "says nothing at fractal depth 6" in value["note"]
    assert 0 < value["curves"][0]["max_abs_gradient"] < 0.01


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_the_file_says_what_it_holds_and_xarray_opens_it(tmp_path, engine):
    path = tmp_path / "g.h5"
    assert (
        fracsim(
            *QUICK, "--curve", 1, "--curve", 6, "--seed", 7, "--samples", 400, "-o", path, "-q"
        ).code
        == 0
    )
    study = open_study(path, "gradient")
    facts = study.attributes
    assert (facts["fractal"], facts["fractal_depth"], facts["width"], facts["seed"]) == (
        "cantor1d",
        6,
        20,
        7,
    )
    assert (facts["initialisation"], facts["bias"], facts["samples"], facts["delta"]) == (
        "uniform",
        0.1,
        400,
        0.05,
    )
    assert "bias_std" not in facts
    with xarray.open_dataset(path, engine=engine) as data:
        data.load()
    assert dict(data.sizes) == {"curve": 2, "level": 6, "draw": 5}
    assert data.curve.values.tolist() == ["1", "6"]
    assert data.max_abs_gradient_error.dims == ("curve", "draw")
    assert data.correlation_by_level.dims == ("level", "draw")
    np.testing.assert_array_equal(data.loss, study.arrays["loss"])


def test_draw_i_of_a_seed_is_the_network_of_seed_plus_i(tmp_path):
    for name, seed in (("a.h5", 3), ("b.h5", 5)):
        fracsim(
            *QUICK, "--init", "he", "--bias-std", 0.5, "--seed", seed, "-o", tmp_path / name, "-q"
        )
    first, second = (open_study(tmp_path / name).arrays for name in ("a.h5", "b.h5"))
    np.testing.assert_array_equal(first["loss"][:, 2:], second["loss"][:, :3])
    from fracsim.studies.gradient.gradient import RandomNetworks

    params = RandomNetworks(Shape(1, 2, 20), "he", None, 0.5, seed=3).params(4)
    wanted = initial_parameters(Shape(1, 2, 20), "he", 7, None, np.float64, bias_std=0.5)
    np.testing.assert_array_equal(params, wanted)


def test_the_result_is_told_in_words(tmp_path):
    result = fracsim(*QUICK, "-o", tmp_path / "g.h5")
    assert result.out.startswith(f"{tmp_path / 'g.h5'}: 5 networks, exact (")
    assert "curve 6: largest gradient entry" in result.out
    assert "Theorem 5 says nothing at fractal depth 6" in result.out
    result = fracsim(*QUICK, "--fractal-depth", 40, "-o", tmp_path / "h.h5")
    assert (
        "Theorem 5 (n' = 28): at most 0 and at least 0.5, met by 100.0% of the networks"
        in result.out
    )
    assert fracsim(*QUICK, "-o", tmp_path / "q.h5", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (
            ["cantor1d", "--fractal-depth", 61, "--bias", 0.5],
            2,
            "fractal_depth (--fractal-depth) is 61",
        ),
        (["cantor", "--init", "he"], 2, "cantor has dimension 2"),
        (["cantr1d"], 2, "did you mean 'cantor1d'"),
        (["cantor1d"], 2, "needs a bias"),
        (["cantor1d", "--init", "unifrom"], 2, "did you mean 'uniform'"),
        (
            ["cantor1d", "--bias", 0.5, "--draws", 0],
            2,
            "draws (--draws) is 0; accepted is a whole number from 1",
        ),
        (["cantor1d", "--bias", 0.5, "--draws", "many"], 2, "'many'"),
        (["cantor1d", "--bias", "x"], 2, "bias (--bias) is 'x'"),
        (["cantor1d", "--bias-std", -1], 2, "bias_std (--bias-std) is -1"),
        (["cantor1d", "--bias", 0.5, "--delta", 2], 2, "delta (--delta) is 2"),
        (["cantor1d", "--bias", 0.5, "--curve", 7], 2, "unknown curve '7'"),
        (["cantor1d", "--bias", 0.5, "--curve", "0.5,1"], 2, "needs the 21 values"),
        (["cantor1d", "--bias", 0.5, "--depth", -1], 2, "network_depth (--depth) is -1"),
        (["cantor1d", "--bias", 0.5, "--samples", 10], 2, "samples (--samples) is 10"),
        (["cantor1d", "--bias", 0.5, "--sample", 10], 2, "did you mean '--samples'"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, options, code, says):
    result = fracsim("gradient", *options, "-o", tmp_path / "g.h5")
    assert (result.code, result.out) == (code, "")
    assert says in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_an_output_in_the_way_is_kept(tmp_path):
    path = tmp_path / "g.h5"
    path.write_text("my thesis")
    result = fracsim(*QUICK, "-o", path)
    assert result.code == 1
    assert "exists already" in result.sentence
    assert path.read_text() == "my thesis"
    assert fracsim(*QUICK, "-o", path, "--overwrite", "-q").code == 0
