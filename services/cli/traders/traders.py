"""`tickflag traders` and `tickflag matches`: what the collector knows of them."""

from pathlib import Path
from typing import Any

import click

from common import settings as configuration
from common.requests import Client, Unreachable
from common.runtime import Role, Runtime
from services.cli.connection import collector
from services.cli.output import json_option, number, one_line, share, show_json, show_table

SUPERVISOR_S = 1.0


@click.command()
@json_option
def traders(as_json: bool) -> None:
    """List the traders: source, version, state, restarts, efficiency, processor time, why one does not run."""
    settings = configuration.load()
    with collector(settings) as client:
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
                f"{trader['cpu_ns'] / 1e9:.2f} s",
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
    except Unreachable:  # at the first start it compiles kernels before it listens
        return " yet"


@click.command()
@click.argument("trader")
@json_option
def matches(trader: str, as_json: bool) -> None:
    """List the symbols that match TRADER's rule now, the highest score first."""
    with collector(configuration.load()) as client:
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


def why(trader: dict[str, Any]) -> str:
    """Why it fails, and why it, or a new version of it, does not run, or what it does that it should not; which of its
    circuits is not closed; and what it failed of within the last minute, where it runs again."""
    open_ones = [f"{kind} circuit {state}" for kind, state in trader["circuits"].items() if state != "closed"]
    found = [trader["error"] if trader["state"] == "failing" else "", trader["reason"], *open_ones]
    if trader["state"] == "running" and trader["fault"]:
        found.append(f"failed a moment ago: {trader['fault']}")
    return "; ".join(filter(None, found)) or (trader["error"] if trader["state"] != "running" else "")
