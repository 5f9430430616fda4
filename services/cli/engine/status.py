"""`tickflag status`: the engine on one screen."""

from typing import Any

import click

from common import settings as configuration
from common.requests import Client, Unreachable
from common.runtime import Role, Runtime
from common.settings import Settings
from services.cli import feed
from services.cli.connection import collector as connected
from services.cli.group import EXIT_FAILED
from services.cli.output import amount, duration, json_option, one_line, saved_by_tracking, share, show_json, show_table
from services.cli.traders import why

SUPERVISOR_S = 1.0
WHY_CHARACTERS = 150
_PORTS = (("commands", "remote_commands"), ("signals", "remote_signals"))
SUMMED = ("processed", "skipped", "bytes_sent", "bytes_full")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show feed, collector and traders. Exit code 1 where nothing runs."""
    settings = configuration.load()
    if settings.remote.connect:
        _show_remote(settings, as_json)
        return
    runtime = settings.runtime_folder()
    supervisor = Role.holder(runtime, "trader")
    document: dict[str, Any] = {
        "instance": settings.instance,
        "folder": str(runtime.folder),
        "feed": feed.facts(settings, runtime),
        "collector": {"state": "stopped"},
        "supervisor": {"state": "stopped"} if supervisor is None else _supervisor(runtime, supervisor),
        "traders": [],
        "saving": None,
    }
    try:
        with Client(runtime, "collector") as collector:
            answer = collector.ask("status")
        document["collector"] = {"state": "running", **answer["collector"]}
        document["traders"] = answer["traders"]
        document["saving"] = answer.get("saving")
    except Unreachable as error:
        if (pid := Role.holder(runtime, "collector")) is not None:
            document["collector"] = {"state": "silent", "pid": pid, "error": str(error)}
    document["overall"] = overall(document["traders"])
    running = any(document[part]["state"] != "stopped" for part in ("feed", "collector", "supervisor"))
    if as_json:
        show_json(document)
    elif running:
        _show(document)
    else:
        click.echo(
            f"tickflag: nothing is running for instance {settings.instance!r} (start it with `tickflag start`)",
            err=True,
        )
    if not running:
        click.get_current_context().exit(EXIT_FAILED)


def _show_remote(settings: Settings, as_json: bool) -> None:
    """What the collector on another machine knows. Raises Unreachable where none answers."""
    with connected(settings) as client:
        answer = client.ask("status")
    document: dict[str, Any] = {
        "instance": answer["collector"]["instance"],
        "folder": settings.remote.connect,
        "feed": {"state": "not known from here"},
        "collector": {"state": "running", **answer["collector"]},
        "supervisor": {"state": "not known from here"},
        "saving": answer.get("saving"),
        "traders": answer["traders"],
        "overall": overall(answer["traders"]),
    }
    if as_json:
        show_json(document)
    else:
        _show(document)


def _supervisor(runtime: Runtime, pid: int) -> dict[str, Any]:
    """As it says itself; without `safe` where it does not answer."""
    try:
        with Client(runtime, "trader", timeout_s=SUPERVISOR_S) as client:
            return {"state": "running", **client.ask("supervisor")}
    except Unreachable:  # at the first start it compiles kernels before it listens
        return {"state": "running", "pid": pid}


def overall(traders: list[dict[str, Any]]) -> dict[str, Any]:
    """All traders together. Efficiency is the share of the evaluations that were not needed."""
    total = {name: sum(trader[name] for trader in traders) for name in SUMMED}
    work = total["processed"] + total["skipped"]
    return {
        **total,
        "efficiency": total["skipped"] / work if work else 0.0,
        "bytes_saved": _saved(total),
    }


def _saved(counts: dict[str, Any]) -> int:
    """Result bytes. None where snapshots came that no cycle of its own had: they count as sent only."""
    return max(0, int(counts["bytes_full"] - counts["bytes_sent"]))


def _show(document: dict[str, Any]) -> None:
    found, collector, supervisor = document["feed"], document["collector"], document["supervisor"]
    click.echo(
        f"instance   {document['instance']} {'at' if '://' in document['folder'] else 'in'} {document['folder']}"
    )
    click.echo(f"feed       {_state(found)}")
    if "generation" in found:
        click.echo(
            f"           {found['symbols']:,} of {found['capacity']:,} symbols, {found['updates']:,} updates, "
            f"{found['swaps']:,} swaps, heartbeat {duration(found['heartbeat_age_ms'])} ago"
        )
        click.echo(f"           generation {found['generation']}, {amount(found['bytes'])}")
    click.echo(f"collector  {_state(collector)}{_uptime(collector)}")
    if collector.get("metrics"):
        click.echo(f"           metrics at {collector['metrics']}")
    if collector.get("remote_commands") or collector.get("remote_signals"):
        click.echo(f"remote     {_remote(collector)}")
    click.echo(f"traders    {_state(supervisor)}{', safe mode: no trader is loaded' if supervisor.get('safe') else ''}")
    total = document["overall"]
    if total["processed"] + total["skipped"]:
        click.echo(
            f"saved      {share(total['skipped'], total['processed'] + total['skipped'])} of the evaluations, "
            f"{share(total['bytes_saved'], total['bytes_full'])} of the result bytes ({amount(total['bytes_saved'])})"
        )
    if document["saving"] is not None:
        click.echo(f"           processor time saved by tracking {saved_by_tracking(document['saving'])}")
    if document["traders"]:
        click.echo()
        show_table(
            ("trader", "state", ">matches", ">efficiency", ">bytes saved", ">cycle", ">heard"),
            [_row(trader) for trader in document["traders"]],
        )
    reasons = [(trader["name"], one_line(why(trader))) for trader in document["traders"] if why(trader)]
    if reasons:
        click.echo()
    for name, reason in reasons:
        click.echo(f"{name}: {reason if len(reason) <= WHY_CHARACTERS else f'{reason[: WHY_CHARACTERS - 3]}...'}")


def _state(part: dict[str, Any]) -> str:
    pid = f" (pid {part['pid']})" if "pid" in part else ""
    error = f": {part['error']}" if "error" in part else ""
    return f"{part['state']}{pid}{error}"


def _remote(collector: dict[str, Any]) -> str:
    """Where it is open to other machines, and for whom."""
    ports = [f"{what} {collector[key]}" for what, key in _PORTS if collector[key]]
    return f"{', '.join(ports)}, for {', '.join(collector['remote_keys']) or 'nobody: `tickflag keys allow FILE`'}"


def _uptime(collector: dict[str, Any]) -> str:
    if "uptime_s" not in collector:
        return ""
    return f", up {duration(collector['uptime_s'] * 1000)}, {collector['last_seq']:,} signals"


def _row(trader: dict[str, Any]) -> tuple[Any, ...]:
    return (
        trader["name"],
        trader["state"],
        f"{trader['matches']:,}" + (f" ({trader['stale']} stale)" if trader["stale"] else ""),
        share(trader["skipped"], trader["skipped"] + trader["processed"]),
        share(_saved(trader), trader["bytes_full"]),
        f"{trader['cycle']:,}",
        "-" if trader["age_ms"] is None else duration(trader["age_ms"]),
    )
