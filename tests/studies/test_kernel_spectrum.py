"""Eigenvalues against exact ones, an independent quadrature, and the law of their decay."""

import json
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
from click.testing import CliRunner
from command_line import fracsim

from fracsim.cli.plot import command
from fracsim.kernels.wide.dual import KINDS, wide_kernel
from fracsim.studies.kernel_spectrum import spectrum
from fracsim.studies.kernel_spectrum.spectrum import SphereKernel, eigenvalues, fitted, limit

TABLE = {  # (kernel, layers, d) -> μ_0, μ_1, …, of 30 digits
    ("rf", 2, 3): (3 / 8, 1 / 6, 3 / 128, 0, 1 / 1536, 0, 3 / 32768, 0, 2.288818359e-5),
    ("step", 2, 3): (1 / 2, 1 / 8, 0, 1 / 128, 0, 1 / 512, 0, 25 / 32768, 0),
    ("ntk", 2, 3): (0.5, 1 / 3, 5 / 64, 0, 1 / 192, 0, 1.403808594e-3, 0, 5.798339844e-4),
    ("rf", 3, 3): (
        0.5441286883, 0.1074908937, 0.02108660039, 0.002241465109, 7.954197875e-4, 1.639456616e-4,
        1.140348917e-4, 3.250000831e-5, 2.854326034e-5,
    ),
    ("ntk", 3, 3): (
        0.9302519316, 0.3707831875, 0.1073675713, 0.01864407721, 0.009143132828, 0.003057865239,
        0.00247535727, 0.001076108837, 0.001019418659,
    ),
    ("rf", 2, 4): (
        0.3602530974, 1 / 8, 0.0144101239, 0, 2.940841611e-4, 0, 3.26760179e-5, 0, 6.751243369e-6,
    ),
    ("ntk", 3, 4): (
        0.86164464, 0.2695206149, 0.06360112707, 0.009161838849, 0.003739859978, 0.001072740997,
        7.643353475e-4, 2.947843815e-4, 2.524446854e-4,
    ),
    ("ntk", 3, 2): (1.082505, 0.587789, 0.220861, 0.048748, 0.030057),
    ("rf", 3, 2): (0.571698, 0.164453, 0.040869, 0.005217, 0.002206),
}  # fmt: skip


@pytest.mark.compiled
@pytest.mark.parametrize("case", TABLE, ids=str)
def test_eigenvalues_of_the_table(case):
    wanted = np.array(TABLE[case])
    found, error = eigenvalues(SphereKernel(*case), 8)
    rest = {"abs": 6e-7} if case[2] == 2 else {"rel": 6e-10, "abs": 1e-15}
    assert found[: len(wanted)] == pytest.approx(wanted, **rest)
    assert (error <= 1e-10).all()


@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["rf", "ntk", "step"])
def test_parity_zeros_come_out_of_the_quadrature(kind):
    kernel = SphereKernel(kind, 2, 3)
    found, _ = spectrum._by_quadrature(kernel, 60, 64, 0.5)
    zero = spectrum.zeros(kernel, 60)
    assert zero.sum() >= 29
    assert np.abs(found[zero]).max() < 1e-15


@pytest.mark.compiled
def test_the_trace_is_the_sum():
    kernel = SphereKernel("rf", 3, 3)
    values, _ = eigenvalues(kernel, 60)
    counts = [spectrum.harmonics(3, k) for k in range(61)]
    assert counts[:3] == [1, 3, 5]
    assert [spectrum.harmonics(4, k) for k in range(4)] == [1, 4, 9, 16]
    assert [spectrum.harmonics(2, k) for k in range(3)] == [1, 2, 2]
    assert 0 < 1 - values @ counts < 3e-6


@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["ntk", "rf", "step"])
@pytest.mark.parametrize("dimension", [3, 4, 5])
def test_exponents_and_constants(kind, dimension):
    for layers in range(2, 7):
        kernel = SphereKernel(kind, layers, dimension)
        values, _ = eigenvalues(kernel, 60)
        found, exact = fitted(kernel, values), limit(kernel)
        p = {"ntk": -dimension, "rf": -dimension - 2, "step": -dimension - 2 ** (2 - layers) + 1}
        for parity in (0, 1):
            if math.isnan(exact.exponent[parity]):
                assert layers == 2
                continue
            assert exact.exponent[parity] == p[kind]
            assert found.exponent[parity] == pytest.approx(p[kind], abs=0.03)
            if kind != "step" or layers < 4:  # whose corrections fall by a small power of k
                assert found.constant[parity] == pytest.approx(exact.constant[parity], rel=0.01)


@pytest.mark.compiled
@pytest.mark.parametrize("case", [("ntk", 3, 3, 0.5), ("rf", 4, 4, 0.3), ("laplace", 1, 3)])
def test_limits_with_biases_and_of_laplace(case):
    kernel = SphereKernel(*case)
    values, error = eigenvalues(kernel, 120)
    assert (error < 0.01 * values).all()
    assert fitted(kernel, values).constant == pytest.approx(limit(kernel).constant, rel=0.01)


def reference(kind, layers, bias, x, y):
    """neural-tangents' kernels with W_std = √2, b_std = bias, the last W_std = 1."""
    k = 2 * x @ y / len(x) + bias**2
    a, b = 2 * x @ x / len(x) + bias**2, 2 * y @ y / len(x) + bias**2
    tangent = k
    for layer in range(1, layers):
        gain = 1 if layer == layers - 1 else 2
        u = k / math.sqrt(a * b)
        mean_gate = (math.pi - math.acos(u)) / math.pi
        k = gain * math.sqrt(a * b) * (u * mean_gate + math.sqrt(1 - u * u) / math.pi) / 2 + bias**2
        tangent = gain * tangent * mean_gate / 2 + k
        a, b = gain * a / 2 + bias**2, gain * b / 2 + bias**2
    return tangent if kind == "ntk" else k


@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["ntk", "rf"])
@pytest.mark.parametrize("layers", [2, 3, 5])
@pytest.mark.parametrize("bias", [0.0, 0.3, 1.5])
def test_kernels_off_the_sphere(kind, layers, bias):
    rng = np.random.default_rng(layers)
    x, y = rng.normal(size=(2, 4))
    a, b, p = x @ x / 4, y @ y / 4, x @ y / 4
    found = wide_kernel(KINDS.index(kind), layers, bias**2 / 2, 1.0, a, b, p)
    assert found == pytest.approx(reference(kind, layers, bias, x, y), rel=1e-13)


@pytest.mark.compiled
def test_a_kernel_with_biases_against_monte_carlo():
    """One hidden layer: E relu relu and E gate gate of two inputs off the sphere."""
    rng = np.random.default_rng(0)
    x, y, bias = np.array([0.5, 1.2]), np.array([-0.3, 0.8]), 0.7
    w, b = rng.normal(size=(1_000_000, 2)), bias * rng.normal(size=1_000_000)
    z, v = w @ x + b, w @ y + b  # √(2/n_in) = 1
    drawn = np.maximum(z, 0) * np.maximum(v, 0)
    gates = (z > 0) & (v > 0)
    a, c, p = x @ x / 2, y @ y / 2, x @ y / 2
    rf = wide_kernel(KINDS.index("rf"), 2, bias**2 / 2, 1.0, a, c, p)
    assert rf == pytest.approx(drawn.mean() + bias**2, abs=4 * drawn.std() / 1000)
    ntk = wide_kernel(KINDS.index("ntk"), 2, bias**2 / 2, 1.0, a, c, p)
    first = x @ y + bias**2
    assert ntk - rf == pytest.approx(first * gates.mean(), abs=4 * abs(first) * 0.5 / 1000)


@pytest.mark.compiled
def test_the_sphere_with_biases_against_scipy():
    kernel = SphereKernel("ntk", 3, 5, 0.4)
    values, _ = eigenvalues(kernel, 6)

    def integrand(t, k):
        value = wide_kernel(0, 3, 0.08, 1.0, 1.0, 1.0, math.cos(t))
        harmonic = scipy.special.eval_gegenbauer(k, 1.5, math.cos(t))
        return value * harmonic / scipy.special.eval_gegenbauer(k, 1.5, 1.0) * math.sin(t) ** 3

    for k in (0, 3, 6):
        wanted = scipy.integrate.quad(integrand, 0, math.pi, (k,), epsabs=1e-13)[0] / (4 / 3)
        assert values[k] == pytest.approx(wanted, abs=1e-11)


@pytest.mark.compiled
def test_what_float64_cannot_tell_is_left_out(tmp_path):
    path = tmp_path / "k.h5"
    options = ["--kernel", "rf", "--layers", 3, "--dimension", 30, "--degrees", 200]
    done = fracsim("kernel-spectrum", *options, "-o", path, "--json")
    value = json.loads(done.out)
    assert value["eigenvalues"][0][0] > 0.4
    assert value["eigenvalues"][0][200] is None
    assert "err by more than 1 %" in value["notes"][0]


@pytest.mark.compiled
def test_the_command_its_file_and_its_figure(tmp_path):
    path = tmp_path / "k.h5"
    options = ["--kernel", "ntk", "--layers", "2,3", "--dimension", 3, "--degrees", 60]
    done = fracsim("kernel-spectrum", *options, "--json", "-o", path)
    assert (done.code, done.err) == (0, "")
    value = json.loads(done.out)
    assert value["eigenvalues"][1][0] == pytest.approx(0.9302519316, rel=1e-9)
    assert value["exponent_exact"] == [[-3.0, None], [-3.0, -3.0]]
    assert np.mean(value["constant_exact"][1]) == pytest.approx(0.4775, abs=5e-5)
    ratio = value["constant_exact"][1][0] / value["constant_exact"][1][1]
    assert ratio == pytest.approx(7 / 5)  # (3 + 1/2) / (3 - 1/2)
    for size in ([], ["--size", "3.4x3.4"]):
        out = str(tmp_path / "k.png")
        drawn = CliRunner().invoke(command, ["kernel-spectrum", str(path), "-o", out, *size])
        assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dimension", 1], "dimension (--dimension) is 1; accepted is a whole number from 2"),
        (["--layers", 0], "layers (--layers) is '0'; accepted are whole numbers from 1"),
        (["--kernel", "rbf"], "kernel (--kernel) is 'rbf'; accepted is one of ntk, rf"),
        (["--degrees", 201], "accepted is a whole number from 1 to 200"),
        (["--scale", 2], "--scale is of kernel laplace"),
        (["--kernel", "laplace", "--bias", 1], "--bias is of networks"),
        (["--kernel", "laplace", "--layers", "2,3"], "--layers is of networks"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, said):
    done = fracsim("kernel-spectrum", *options)
    assert done.code == 2
    assert said in done.sentence
