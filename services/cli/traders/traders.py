"""`tickflag traders` and `tickflag matches`: what the collector knows of them."""

from pathlib import Path
from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.diagnosis.engine import why
from tickflag.common.runtime import Role, Runtime
from tickflag.common.units import NS_PER_S
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.services.cli.connection import SUPERVISOR_S, collector_client
from tickflag.services.cli.output import json_option, number, one_line, share, show_json, show_table


@click.command()
@json_option
def traders(as_json: bool) -> None:
    """List the traders: source, version, state, restarts, efficiency, processor time, why one does not run."""
    settings = configuration.load()
    with collector_client(settings) as client:
        found: list[dict[str, Any]] = client.ask("traders")
    if as_json:
        show_json(found)
        return
    if not found:
        click.echo(f"no traders{' yet' if settings.remote.connect else _why_none(settings.runtime_folder())}")
        return
    show_table(
        ("trader", "source", "version", "state", ">matches", ">restarts", ">efficiency", ">cpu", ">pid", "why"),
        [
            (
                trader["name"],
                Path(trader["source"]).name,
                trader["version"],
                trader["state"],
                f"{trader['matches']:,}",
                trader["restarts"],
                share(trader["skipped"], trader["skipped"] + trader["processed"]),
                f"{trader['cpu_ns'] / NS_PER_S:.2f} s",
                trader["pid"] or "-",
                why(trader),
            )
            for trader in found
        ],
    )


def _why_none(runtime: Runtime) -> str:
    if Role.holder(runtime, "trader") is None:
        return ": the trader service does not run"
    try:
        with Client(runtime, "trader", SUPERVISOR_S) as supervisor:
            return ": safe mode loads none" if supervisor.ask("supervisor")["safe"] else " yet"
    except Unreachable:  # at its first start the supervisor compiles kernels before it listens
        return " yet"


@click.command()
@click.argument("trader")
@json_option
def matches(trader: str, as_json: bool) -> None:
    """List the symbols that match TRADER's rule now, the highest score first."""
    with collector_client(configuration.load()) as client:
        found: dict[str, Any] = client.ask("matches", trader=trader)
    if as_json:
        show_json(found)
        return
    stale = set(found["matches"]) if found["stale"] else set(found["stale_symbols"])
    ranked = sorted(found["matches"].items(), key=lambda match: (-match[1], match[0]))
    notes = found["notes"]
    if ranked:
        show_table(
            ("symbol", ">score", "", "note" if notes else ""),
            [
                (symbol, number(score), "stale" if symbol in stale else "", one_line(notes.get(symbol, "")))
                for symbol, score in ranked
            ],
        )
    state = "" if found["synced"] else ", a snapshot is on its way"
    click.echo(f"{len(ranked):,} matches of {found['trader']} at cycle {found['cycle']:,}{state}")
