"""`tickflag experiment`: the arms of a feature flag side by side, as the collector measured them."""

from collections.abc import Callable
from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_US
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.operator import operator
from tickflag.services.cli.output import (
    byte_size,
    date_and_time,
    duration,
    json_option,
    number,
    saved_by_tracking,
    show_json,
    show_table,
)

# Metric -> its shown name, and how to show a value.
METRICS: dict[str, tuple[str, Callable[[float], str]]] = {
    "cpu_ns": ("processor time of a cycle", lambda value: f"{value / NS_PER_US:,.1f} us"),
    "processed": ("symbols of a cycle", number),
    "latency_ns": ("tick to result", lambda value: f"{value / NS_PER_MS:,.2f} ms"),
    "bytes": ("result bytes of a cycle", byte_size),
    "failures": ("failed cycles", lambda value: f"{100 * value:.3g} %"),
}


@click.group()
def experiment() -> None:
    """Compare the arms of a feature flag on the live market."""


@experiment.command()
@click.argument("flag", required=False)
@json_option
def report(flag: str | None, as_json: bool) -> None:
    """Show what the arms of FLAG cost, or those of every flag that has some, and what tracking saves."""
    found = _ask("experiments", **({} if flag is None else {"flag": flag}))
    if as_json:
        show_json(found)
        return
    for one in found["experiments"]:
        _show(one)
    if found["tracking"] is not None:
        _show_tracking(found["tracking"])
    if flag is None and not found["experiments"]:
        click.echo("\nno feature flag divides the traders into arms: `tickflag flags set FLAG 50` does")


@experiment.command()
@click.argument("flag")
@json_option
def reset(flag: str, as_json: bool) -> None:
    """Begin the measurement of FLAG anew; what was measured is gone."""
    found = _ask("experiments.reset", flag=flag, who=operator())
    if as_json:
        show_json(found)
    else:
        click.echo(f"{flag}: nothing is measured yet")


def _ask(what: str, **arguments: Any) -> Any:
    with collector_client(configuration.load()) as client:
        return client.ask(what, **arguments)


def _show(one: dict[str, Any]) -> None:
    state = f"at {one['percentage']:g} %" if one["running"] else "ended"
    click.echo(f"{one['flag']}: {state}, measured since {date_and_time(one['since_ms'])}")
    show_table(
        ("arm", "flag", ">share", ">traders now", ">traders", ">cycles", ">failed", ">results", ">watched"),
        [
            (
                arm["arm"],
                "on" if arm["value"] else "off",
                "-" if arm["share"] is None else f"{arm['share']:.3g} %",
                arm["present"],
                arm["traders"],
                f"{arm['cycles']:,}",
                f"{arm['failures']:,}",
                f"{arm['results']:,}",
                duration(arm["seconds"] * MS_PER_S),
            )
            for arm in one["arms"]
        ],
    )
    for comparison in one["comparisons"]:
        click.echo()
        names = (comparison["arm"], comparison["against"])
        show_table(
            ("", *(f">{name}" for name in names), ">ratio", "95 % interval"),
            [_row(metric) for metric in comparison["metrics"]],
        )
    words = _sample_ratio(one)
    click.echo(f"\n{words}\n" if words else "")


def _row(metric: dict[str, Any]) -> tuple[str, ...]:
    name, shown = METRICS[metric["metric"]]
    values = ("-" if value is None else shown(value) for value in (metric["value"], metric["against"]))
    interval = metric["why"] if metric["low"] is None else f"{metric['low']:.3g} to {metric['high']:.3g}"
    return (name, *values, "-" if metric["ratio"] is None else f"{metric['ratio']:.3g}", interval)


def _sample_ratio(one: dict[str, Any]) -> str:
    """Whether each arm has as many traders as it should; empty for an experiment that has ended."""
    found = one["sample_ratio"]
    if found is None:
        return ""
    if found["p"] is None:
        return "sample ratio: too few traders to check it"
    verdict = "as chance gives it"
    if found["warning"]:
        verdict = "traders are missing from an arm, so do not trust the comparison"
    return f"sample ratio: p = {found['p']:.3g}: {verdict}"


def _show_tracking(tracking: dict[str, Any]) -> None:
    if tracking["overall"] is None:
        click.echo("processor time saved by tracking: no cycle was audited yet")
        return
    click.echo(f"processor time saved by tracking {saved_by_tracking(tracking['overall'])}")
    click.echo(f"measured since {date_and_time(tracking['since_ms'])}")
    if tracking["traders"]:
        show_table(
            ("trader", "saved by tracking"),
            [(trader["trader"], saved_by_tracking(trader)) for trader in tracking["traders"]],
        )
