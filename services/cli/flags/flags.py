"""`tickflag flags`: feature flags, as the collector keeps them."""

import re
from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.flags import in_words
from tickflag.common.units import S_PER_UNIT
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.operator import operator
from tickflag.services.cli.output import date_and_time, json_option, one_line, show_json, show_table


@click.group()
def flags() -> None:
    """Switch parts of the engine on and off while it runs: for all, for a share of the traders, or for one."""


@flags.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the flags, and for how many of the traders each is on."""
    found = _ask("list")
    if as_json:
        show_json(found)
        return
    show_table(
        ("flag", "on", "percent", "default", "forced", "state", "meaning"),
        [
            (
                flag["flag"],
                _count(flag),
                "-" if flag["percentage"] is None else f"{flag['percentage']:g}",
                _on_off(flag["default"]),
                len(flag["force"]) + len(flag["owners"]) or "-",
                _state(flag),
                one_line(flag["meaning"]),
            )
            for flag in found["flags"]
        ],
    )
    if found["trouble"]:
        click.echo(f"warning: {found['trouble']}", err=True)


@flags.command("set")
@click.argument("flag")
@click.argument("value")
@click.option("--new", is_flag=True, help="Make FLAG: it is not known yet.")
@click.option("--meaning", "description", metavar="TEXT", help="What the flag is for.")
@click.option("--arm", "arms", metavar="NAME=SHARE", multiple=True, help="An arm of an experiment; may be repeated.")
@json_option
def set_(flag: str, value: str, new: bool, description: str | None, arms: tuple[str, ...], as_json: bool) -> None:
    """Set FLAG to VALUE: `on` or `off` for all, or for a percentage of the traders, as 25 or 0.5."""
    arguments: dict[str, Any] = {"value": _value(value), "new": new, "description": description}
    if arms:
        arguments["arms"] = [_arm(text) for text in arms]
    _change("set", as_json, flag=flag, **arguments)


@flags.command()
@click.argument("flag")
@click.argument("value", type=click.Choice(["on", "off", "clear"]))
@click.option("--trader", metavar="TRADER", help="For this trader.")
@click.option("--owner", metavar="OWNER", help="For all traders of this owner.")
@click.option("--symbol", metavar="SYMBOL", help="For this symbol; of flags that go by symbol.")
@json_option
def force(flag: str, value: str, trader: str | None, owner: str | None, symbol: str | None, as_json: bool) -> None:
    """Force FLAG on or off for one trader, owner or symbol, whatever the percentage says; `clear` takes it back."""
    named = {"trader": trader, "owner": owner, "symbol": symbol}
    given = {kind: name for kind, name in named.items() if name is not None}
    if len(given) != 1:
        raise click.UsageError("give one of --trader, --owner and --symbol")
    _change("force", as_json, flag=flag, value=None if value == "clear" else value == "on", **given)
    ((kind, name),) = given.items()
    if not as_json:
        click.echo(f"{kind} {name}: {'no longer forced' if value == 'clear' else f'forced {value}'}")
    if trader is not None and value != "clear":
        with collector_client(configuration.load()) as client:
            known = [one["name"] for one in client.ask("traders")]
        if trader not in known:
            click.echo(
                f"tickflag: no trader {trader!r} has reported: it counts once one does; known are "
                f"{', '.join(known) or 'none so far'}",
                err=True,
            )


@flags.command()
@click.argument("flag")
@click.option("--undo", is_flag=True, help="Take it back: what was set before counts again.")
@json_option
def kill(flag: str, undo: bool, as_json: bool) -> None:
    """Switch FLAG off for everybody, whatever else is set."""
    _change("kill", as_json, flag=flag, on=not undo)


@flags.command()
@click.argument("flag")
@click.argument("steps", nargs=-1, required=True)
@json_option
def ramp(flag: str, steps: tuple[str, ...], as_json: bool) -> None:
    """Let the percentage of FLAG grow in STEPS, as `5:1h 25:1d 100:0:approve`: percentage, and how long it is held.

    A step with `approve` is taken only after `tickflag flags approve`.
    """
    _change("ramp", as_json, flag=flag, steps=[_step(text) for text in steps])


@flags.command()
@click.argument("flag")
@json_option
def approve(flag: str, as_json: bool) -> None:
    """Let the ramp of FLAG take the step that waits."""
    _change("approve", as_json, flag=flag)


@flags.command()
@click.argument("flag")
@json_option
def halt(flag: str, as_json: bool) -> None:
    """Stop the ramp of FLAG where it is."""
    _change("halt", as_json, flag=flag)


@flags.command()
@click.argument("flag")
@json_option
def rollback(flag: str, as_json: bool) -> None:
    """End the ramp of FLAG: all is as before it."""
    _change("rollback", as_json, flag=flag)


@flags.command()
@click.argument("flag")
@json_option
def remove(flag: str, as_json: bool) -> None:
    """Take back all that was set of FLAG. One that is not built in is gone."""
    _change("remove", as_json, flag=flag)


@flags.command()
@click.argument("flag")
@click.argument("name")
@click.option("--owner", metavar="OWNER", help="As if the trader had this owner; else the one it reported.")
@json_option
def explain(flag: str, name: str, owner: str | None, as_json: bool) -> None:
    """Say what FLAG is for the trader NAME, or for the symbol NAME where it goes by symbol, and why."""
    found = _ask("explain", flag=flag, name=name, **({} if owner is None else {"owner": owner}))
    if as_json:
        show_json(found)
        return
    place = "" if found["bucket"] is None else f", bucket {found['bucket']:,} of 100,000 at {found['percentage']:g} %"
    arm = f", arm {found['arm']}" if found["arm"] not in (None, "on") else ""
    click.echo(f"{flag} is {_on_off(found['value'])} for {name}: {found['why']}{place}{arm}")
    if not found["known"]:
        click.echo(f"no trader {name!r} has reported", err=True)


@flags.command()
@click.argument("flag", required=False)
@click.option("--limit", type=click.IntRange(min=1), help="How many of the last changes; 100 where not given.")
@json_option
def history(flag: str | None, limit: int | None, as_json: bool) -> None:
    """Show who changed what and when, the newest first; of FLAG, or of all."""
    given = {"flag": flag, "limit": limit}
    found = _ask("history", **{key: value for key, value in given.items() if value is not None})
    if as_json:
        show_json(found)
        return
    if not found:
        click.echo("nothing was changed yet")
        return
    show_table(
        ("time", ">revision", "who", "flag", "field", "from", "to"),
        [
            (
                date_and_time(one["time_ms"]),
                one["revision"],
                one["who"],
                one["flag"],
                one["field"],
                one_line(in_words(one["field"], one["before"])) or "-",
                one_line(in_words(one["field"], one["after"])) or "-",
            )
            for one in found
        ],
    )


def _ask(what: str, **arguments: Any) -> Any:
    with collector_client(configuration.load()) as client:
        return client.ask(f"flags.{what}", **arguments)


def _change(what: str, as_json: bool, **arguments: Any) -> None:
    found = _ask(what, who=operator(), **arguments)
    if as_json:
        show_json(found)
        return
    flag = found["flag"]
    if flag is None:
        click.echo(f"{arguments['flag']}: nothing is set any more")
        return
    percentage = "" if flag["percentage"] is None else f", {flag['percentage']:g} %"
    state = _state(flag)
    click.echo(f"{flag['flag']}: default {_on_off(flag['default'])}{percentage}{f', {state}' if state else ''}")


def _value(text: str) -> bool | float:
    if text in ("on", "off"):
        return text == "on"
    try:
        return float(text.rstrip("%"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not `on`, `off` or a percentage", param_hint="VALUE") from None


def _arm(text: str) -> dict[str, Any]:
    """The arm that `a=50` or `control=50:off` describes."""
    found = re.fullmatch(r"([^=]+)=([0-9.]+)(:off)?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not as `a=50` or `control=50:off`", param_hint="--arm")
    return {"name": found[1], "share": float(found[2]), "value": found[3] is None}


def _step(text: str) -> list[Any]:
    """The step that `5:1h` or `100:0:approve` describes."""
    found = re.fullmatch(r"(\d+\.?\d*)%?:(\d+\.?\d*)([smhd]?)(:approve)?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not as `5:1h` or `100:0:approve`", param_hint="STEPS")
    return [float(found[1]), float(found[2]) * S_PER_UNIT[found[3] or "s"], found[4] is not None]


def _state(flag: dict[str, Any]) -> str:
    """What overrides default and percentage: the kill switch, a setting or a ramp; empty where nothing does."""
    if flag["killed"]:
        return "killed"
    if flag["setting"] is not None:
        return f"{_on_off(flag['setting'])} by the setting"
    ramp = flag["ramp"]
    return f"ramp {ramp['step']}/{len(ramp['steps'])} {ramp['state']}" if ramp else ""


def _count(flag: dict[str, Any]) -> str:
    return f"{sum(flag['traders'].values())} of {len(flag['traders'])}" if flag["by"] == "trader" else "by symbol"


def _on_off(value: bool) -> str:
    return "on" if value else "off"
