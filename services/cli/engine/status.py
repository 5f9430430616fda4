"""`tickflag status`: the engine on one screen."""

from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.diagnosis.engine import why
from tickflag.common.diagnosis.feed_state import feed_state
from tickflag.common.errors import EXIT_FAILED
from tickflag.common.runtime import Role, Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import MS_PER_S
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.services.cli.connection import SUPERVISOR_S, collector_client
from tickflag.services.cli.left_out import LEFT_OUT, left_out_line
from tickflag.services.cli.output import (
    byte_size,
    duration,
    json_option,
    one_line,
    saved_by_tracking,
    share,
    show_json,
    show_table,
)

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
    feed = feed_state(settings, runtime)
    if any(feed.get(name) for name in LEFT_OUT):
        feed["left_out"] = _left_out(runtime)
    document: dict[str, Any] = {
        "instance": settings.instance,
        "folder": str(runtime.folder),
        "feed": feed,
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
    """Show what the collector on another machine knows. Raises Unreachable where it does not answer."""
    with collector_client(settings) as client:
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


def _left_out(runtime: Runtime) -> dict[str, dict[str, int]]:
    """Kind -> the symbols of which the feed left out most; empty where the feed does not answer."""
    try:
        with Client(runtime, "feed", timeout_s=SUPERVISOR_S) as client:
            return dict(client.ask("status")["left_out"])
    except Unreachable:
        return {}


def _supervisor(runtime: Runtime, pid: int) -> dict[str, Any]:
    """What the supervisor says of itself; without `safe` where the supervisor does not answer."""
    try:
        with Client(runtime, "trader", timeout_s=SUPERVISOR_S) as client:
            return {"state": "running", **client.ask("supervisor")}
    except Unreachable:  # at its first start the supervisor compiles kernels before it listens
        return {"state": "running", "pid": pid}


def overall(traders: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums over all traders. Efficiency is the share of the evaluations that were not needed."""
    total = {name: sum(trader[name] for trader in traders) for name in SUMMED}
    work = total["processed"] + total["skipped"]
    return {
        **total,
        "efficiency": total["skipped"] / work if work else 0.0,
        "bytes_saved": _saved(total),
    }


def _saved(counts: dict[str, Any]) -> int:
    """Result bytes that tracking saved; 0 where snapshots outside of cycles, which count as sent only, cost more."""
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
        click.echo(f"           generation {found['generation']}, {byte_size(found['bytes'])}")
        for name in LEFT_OUT:
            if found[name]:
                symbols = found.get("left_out", {}).get(name, {})
                click.echo(f"           {left_out_line(name, found[name], symbols)}")
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
            f"{share(total['bytes_saved'], total['bytes_full'])} of the result bytes "
            f"({byte_size(total['bytes_saved'])})"
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
    """The addresses at which the collector is open to other machines, and the keys that may connect."""
    ports = [f"{what} {collector[key]}" for what, key in _PORTS if collector[key]]
    return f"{', '.join(ports)}, for {', '.join(collector['remote_keys']) or 'nobody: `tickflag keys allow FILE`'}"


def _uptime(collector: dict[str, Any]) -> str:
    if "uptime_s" not in collector:
        return ""
    return f", up {duration(collector['uptime_s'] * MS_PER_S)}, {collector['last_seq']:,} signals"


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
