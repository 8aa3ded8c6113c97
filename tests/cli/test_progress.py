"""Progress and remarks on stderr: a bar on a terminal, plain lines elsewhere, and no listener."""

import subprocess
import sys

from fracsim.cli import progress as module
from fracsim.cli.progress import ProgressBar


def test_progress_is_plain_lines_where_stderr_is_no_terminal(capsys):
    with ProgressBar("sample", 200, unit="points", every=0) as progress:
        progress.update(50, "half of a half")
    lines = capsys.readouterr().err.splitlines()
    assert "\r" not in "".join(lines)
    assert lines[-1].startswith("sample: 25%  50 of 200 points")
    assert lines[-1].endswith("half of a half")


def test_remarks_that_nobody_reads_are_no_error():
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -c 'from fracsim.cli.progress import remark\nfor i in range(9): "
            f"remark(str(i))\n"
            "print(7)' 2>&1 >/dev/null | sleep 0; exit ${PIPESTATUS[0]}",
        ],
        timeout=120,
    )
    assert done.returncode == 0


def test_the_time_left_is_that_of_what_this_call_has_done(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    progress = ProgressBar("sweep", 100, every=0)
    progress.update(80, share=0.8)  # done by an earlier call
    now = 160.0
    progress.update(80, share=0.8)  # compiling
    now = 170.0
    progress.update(85, share=0.85)
    lines = capsys.readouterr().err.splitlines()
    assert "left" not in lines[0] + lines[1]
    assert lines[2].endswith("85 of 100, 30 s left")


def test_progress_is_a_bar_on_a_terminal_and_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with ProgressBar("sweep", 10) as progress:
        progress.shown = 0
        progress.update(5, share=0.75)
    text = capsys.readouterr().err
    assert "[##################------]  75%  5 of 10" in text
    assert text.endswith("\r\033[K")


def test_quiet_progress_says_nothing(capsys):
    with ProgressBar("sweep", 10, quiet=True, every=0) as progress:
        progress.update(5)
    assert capsys.readouterr().err == ""
