"""A network in a file of a study has no runs and no snapshots to choose from."""

import pytest
from command_line import fracsim, run_group

from fracsim.cli.plot import command as plot
from fracsim.data.numbering import Number
from fracsim.errors import UsageError
from fracsim.networks.stored import load_network


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "net.h5"
    options = ("--fractal-depth", 1, "--count", 100, "-q")
    assert fracsim("construct", "cantor1d", *options, "-o", path).code == 0
    return path


@pytest.mark.parametrize("which", [{"run": Number(0)}, {"run": Number(2**63 - 1)}, {"snapshot": 3}])
def test_a_choice_where_there_is_none_is_refused(net, which):
    ((kind, number),) = which.items()
    with pytest.raises(UsageError, match=f"no {kind} {number} in .* holds one network"):
        load_network(net, **which)
    assert load_network(net).run is None


def test_commands_refuse_it(net, tmp_path):
    for said in (
        run_group(plot, "fracsim-plot", "decision", net, "--run", 5, "-o", tmp_path / "a.png"),
        fracsim("regions", net, "--run", 5, "--json"),
        fracsim("regions", net, "--snapshot", 2, "--json"),
    ):
        assert said.code == 2
        assert "leave out which" in said.err
