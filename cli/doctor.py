"""``fracsim doctor``: what this machine offers, and whether the compiled kernels compute what they
should here."""

from itertools import chain
from typing import TYPE_CHECKING

import click

from fracsim.cli.options import echo_json, example, json_option
from fracsim.cli.streams import remark
from fracsim.kernels import compiling
from fracsim.studies import STUDIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fracsim.selftest.agreement import Agreement
    from fracsim.selftest.checks import Check


@click.command(epilog=example("fracsim doctor", "fracsim doctor --json > machine.json"))
@json_option
def command(as_json: bool) -> int:
    """Say versions, CPU features, threads, cache and CUDA, check the kernels against plain NumPy,
    and CUDA's against the CPU's where a card works.

    Exit code 1 where a check fails: results of this installation should then not be trusted.
    """
    from fracsim.selftest.agreement import card_agreements
    from fracsim.selftest.checks import checks
    from fracsim.selftest.facts import machine_facts

    compiling.tell = None  # it says so itself
    facts = machine_facts()
    if not as_json:
        width = max(map(len, facts)) + 2
        click.echo("\n".join(f"{name:{width}}{value}" for name, value in facts.items()))
        click.echo(
            "\nkernels, compiled first where the cache lacks them, against plain NumPy (largest "
            "deviation, accepted)"
        )
    results = []
    for check in chain(checks(), studied()):
        results.append(check)
        if not as_json:
            _echo_row(check.name, check)
    agreed: list[Agreement] = []
    for each in card_agreements():
        if not as_json and not agreed:
            click.echo("\nbackends against the CPU (largest error, accepted)")
        agreed.append(each)
        if not as_json:
            _echo_row(f"{each.backend:6}{each.verb}", each)
    passed = all([check.passed for check in results] + [each.passed for each in agreed])
    if as_json:
        rows = {
            name: [{**each._asdict(), "passed": each.passed} for each in found]
            for name, found in (("checks", results), ("agreement", agreed))
        }
        echo_json({**facts, **rows})
    elif not passed:
        remark("Error: a kernel computes something wrong on this machine; please report it.")
    return 0 if passed else 1


def studied() -> "Iterator[Check]":
    """The checks that studies declare."""
    from fracsim.selftest.checks import Check

    return (Check(*row) for study in STUDIES.values() for row in study.run_checks())


def _echo_row(name: str, each: "Check | Agreement") -> None:
    word = "ok" if each.passed else "WRONG"
    click.echo(f"  {name:42}{each.deviation:9.2g}{each.accepted:9.2g}  {word}")
