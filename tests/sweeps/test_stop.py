"""What signals and the time limit ask of a sweep."""

import signal

import pytest

from fracsim.sweeps.stop import Stop


@pytest.mark.parametrize(("seconds", "reason"), [(None, "SIGINT"), (0.0, "the time limit")])
def test_a_second_ctrl_c_insists(seconds, reason):
    with Stop() as stop:
        if seconds is not None:
            stop.after(seconds)
        assert stop() == (seconds is not None)
        signal.raise_signal(signal.SIGINT)
        assert stop()
        assert stop.reason == reason
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.reason == "SIGHUP"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_sigterm_changes_nothing():
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        assert stop.reason == "SIGTERM"
