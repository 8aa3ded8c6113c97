"""``fracsim status --watch``: says it again until all is at rest."""

from command_line import fracsim
from figure_files import experiment_of, write_file

from fracsim.cli.watch import Look, Pace, look_again

SHORT = {"steps": 1_000, "record_every": 100}


def test_the_time_left_follows_from_what_was_gained():
    clock = iter([0.0, 0.0, 60.0, 60.0])
    pace = Pace(lambda: next(clock))
    assert pace.words(0.2) == "20% of all records"
    assert pace.words(0.4) == "40% of all records, about 3 min 0 s left"


def test_only_changes_are_said_where_there_is_no_terminal(capsys):
    seen = iter(
        [
            Look("one", True, 0.1),
            Look("one", True, 0.1),
            Look("two", True, 0.5),
            Look("three", False, 1.0),
        ]
    )
    waits: list[float] = []
    look_again(lambda: next(seen), 7.0, waits.append)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "one"
    assert lines[1] == "10% of all records"
    assert lines[2] == "two"
    assert lines[4:] == ["three"]
    assert waits == [7.0] * 3


def test_ctrl_c_ends_the_watching_only(capsys):
    def sleep(_):
        raise KeyboardInterrupt

    look_again(lambda: Look("one", True, 0.0), 1.0, sleep)
    assert capsys.readouterr().out.startswith("one\n")


def test_files_at_rest_are_said_once(tmp_path):
    done = write_file(tmp_path / "done.h5", experiment_of({"seed": [0, 1]}, **SHORT))
    shard = write_file(tmp_path / "s.h5", experiment_of({"seed": [0, 1]}, **SHORT), shard="0/2")
    result = fracsim("status", done, shard, tmp_path / "none.h5", "--watch", "--runs")
    assert result.code == 1
    assert result.out.count("2 runs of 1,000 steps") == 1
    assert "Error: " in result.out
    assert "2 done" in result.out
    refused = fracsim("status", done, "--watch", "--json")
    assert refused.code == 2
    assert "exclude each other" in refused.sentence
