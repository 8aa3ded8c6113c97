"""What is said where CUDA cannot work: each sentence through the command line, and what `auto`
makes of it."""

import pytest
from command_line import fracsim
from fake_driver import FakeDriver

from fracsim.kernels.backend import get_backend
from fracsim.kernels.cuda import driver, failures, target, working
from fracsim.kernels.cuda.driver import Lack
from fracsim.kernels.errors import BackendError

SWEEP = ("sweep", "cantor5-depth-width", "--quick", "--backend", "cuda")


@pytest.fixture
def machine(monkeypatch):
    """Give the machine a driver (None: none), outside of the simulator."""

    def give(library):
        monkeypatch.setattr(working, "simulator_is_on", lambda: False)
        monkeypatch.setattr(driver, "library", lambda: library)
        monkeypatch.setattr(target, "toolkit_version", lambda: (12, 9))
        monkeypatch.setattr(target.config, "DISABLE_JIT", 0)
        monkeypatch.setattr(working, "_trial", lambda: None)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        working.missing.cache_clear()

    yield give
    working.missing.cache_clear()


def refused(tmp_path, command=SWEEP):
    """The one sentence of a command on a card that cannot be; nothing is written."""
    result = fracsim(*command, "-o", tmp_path / "x.h5")
    assert (result.code, result.out) == (1, "")
    assert list(tmp_path.iterdir()) == []
    sentence = result.sentence
    assert sentence.startswith("Error: backend 'cuda': ")
    assert sentence.endswith(", or use backend 'cpu'.")
    return sentence


@pytest.mark.parametrize(
    ("library", "what", "cure"),
    [
        (None, "no NVIDIA driver was found", "install the driver"),
        (FakeDriver(cards=0), "the NVIDIA driver finds no card", "--gres=gpu:1"),
        (FakeDriver(fails={"cuInit": 100}), "the NVIDIA driver finds no card", "take a machine"),
        (FakeDriver(fails={"cuInit": 34}), "only the toolkit's stub", "install the driver"),
        (
            FakeDriver(fails={"cuInit": 803}),
            "parts of the NVIDIA driver differ",
            "restart the machine",
        ),
        (FakeDriver(fails={"cuInit": 802}), "cards are not ready", "fabric manager"),
        (FakeDriver(fails={"cuInit": 999}), "fails with CUDA_ERROR_UNKNOWN", "nvidia-smi"),
        (FakeDriver(attributes={20: 2}), "compute mode prohibits", "administrator"),
        (
            FakeDriver(attributes={20: 3}, fails={"cuDevicePrimaryCtxRetain": 46}),
            "another process uses it",
            "wait for",
        ),
        (
            FakeDriver(version=11080),
            "supports CUDA 11.8 and is too old for the installed toolkit 12.9",
            "CUDA 11",
        ),
        (
            FakeDriver(attributes={75: 3, 76: 7}),
            "compute capability 3.7 is below 5.0",
            "newer card",
        ),
    ],
)
def test_each_lack_is_a_sentence_that_says_how_to_mend_it(machine, tmp_path, library, what, cure):
    machine(library)
    sentence = refused(tmp_path)
    assert what in sentence
    assert cure in sentence
    chosen = get_backend("auto")
    assert chosen.name == "cpu"
    assert not chosen.why.startswith("auto")
    assert what in chosen.why
    assert chosen.why.endswith(", so the CPU")


def test_a_single_run_is_refused_as_a_sweep_is(machine, tmp_path):
    machine(None)
    assert "no NVIDIA driver was found" in refused(tmp_path, ("train", "--backend", "cuda"))


def test_hidden_cards_are_named(machine, tmp_path, monkeypatch):
    machine(FakeDriver(cards=0))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES is '-1'; unset it or name a card" in refused(tmp_path)


def test_no_toolkit(machine, tmp_path, monkeypatch):
    def none():
        raise ImportError("libcudart\ncannot be found")

    machine(FakeDriver())
    monkeypatch.setattr(target, "toolkit_version", none)
    sentence = refused(tmp_path)
    assert "no CUDA toolkit was found (libcudart cannot be found)" in sentence
    assert "pip install '.[cuda12]'" in sentence


def test_a_first_kernel_that_fails(machine, tmp_path, monkeypatch):
    machine(FakeDriver())
    monkeypatch.setattr(
        working, "_trial", lambda: Lack("a first kernel fails with ValueError: x", "mend it")
    )
    assert "a first kernel fails" in refused(tmp_path)


def test_a_free_card_in_exclusive_mode_is_taken_and_given_back(machine):
    library = FakeDriver(attributes={20: 3})
    machine(library)
    assert working.missing() is None
    assert [call[0] for call in library.calls if "Primary" in call[0]] == [
        "cuDevicePrimaryCtxRetain",
        "cuDevicePrimaryCtxRelease_v2",
    ]


def test_auto_never_takes_the_simulator(monkeypatch):
    monkeypatch.setattr(working, "simulator_is_on", lambda: True)
    chosen = get_backend("auto")
    assert chosen.name == "cpu"
    assert "simulator" in chosen.why


@pytest.mark.parametrize("switch", ["DISABLE_CUDA", "DISABLE_JIT"])
def test_numba_switched_off_is_said(machine, tmp_path, monkeypatch, switch):
    machine(FakeDriver())
    monkeypatch.setattr(target.config, switch, 1)
    sentence = refused(tmp_path)
    assert f"NUMBA_{switch} " in sentence
    assert "; unset it" in sentence


class CudaAPIError(Exception):
    """As numba's: a number, and a text with CUDA's name."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            CudaAPIError(
                46, "Call to cuDevicePrimaryCtxRetain results in CUDA_ERROR_DEVICE_UNAVAILABLE"
            ),
            "exclusive",
        ),
        (
            RuntimeError(
                "[222] Call to cuLinkAddData results in CUDA_ERROR_UNSUPPORTED_PTX_VERSION\n"
            ),
            "too old",
        ),
        (
            CudaAPIError(700, "Call to cuStreamSynchronize results in CUDA_ERROR_ILLEGAL_ADDRESS"),
            "what was recorded",
        ),
        (
            CudaAPIError(719, "Call to cuX results in UNKNOWN_CUDA_ERROR"),
            r"is kept.*\(LAUNCH_FAILED\)",
        ),
        (CudaAPIError(12345, "Call to cuX results in UNKNOWN_CUDA_ERROR"), "12345"),
        (RuntimeError("Driver missing function: cuKernelSetAttribute"), "too old"),
        (
            ImportError(
                "Error at driver init: \nCall to cuInit results in CUDA_ERROR_NO_DEVICE (100):"
            ),
            "NO_DEVICE",
        ),
    ],
)
def test_what_the_driver_reports_becomes_a_sentence(monkeypatch, error, sentence):
    monkeypatch.setattr(driver, "library", FakeDriver)
    with pytest.raises(BackendError, match=sentence) as caught, failures.told():
        raise error
    assert "\n" not in str(caught.value)


def test_other_errors_are_left_alone():
    with pytest.raises(ZeroDivisionError), failures.told():
        raise ZeroDivisionError("bug")
    with pytest.raises(KeyboardInterrupt), failures.told():
        raise KeyboardInterrupt


def test_too_little_memory_says_the_sizes():
    from fracsim.kernels.errors import OutOfDeviceMemory

    def unknown():
        raise BackendError("no context")

    with pytest.raises(OutOfDeviceMemory, match=r"too small$"), failures.told(0, unknown):
        raise CudaAPIError(
            2, "Call to cuDevicePrimaryCtxRetain results in CUDA_ERROR_OUT_OF_MEMORY"
        )
    with (
        pytest.raises(OutOfDeviceMemory, match=r"8 GiB more are needed, 0.5 GiB of 2 GiB are free"),
        failures.told(2**33, lambda: (2**29, 2**31)),
    ):
        raise CudaAPIError(2, "Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
