"""`tickflag replay`: recordings through the engine in lock-step."""

import contextlib
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tickflag.common import settings as configuration
from tickflag.common.errors import TickflagError

if TYPE_CHECKING:
    from tickflag.services.replay.study.study import Horizon
    from tickflag.services.replay.sweep import Combination
    from tickflag.services.replay.traders import OwnSetting


def _time(_ctx: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    from tickflag.services.replay.period import parse_utc

    try:
        return None if value is None else parse_utc(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r}: use a UTC date or time as 2024-03-04 or 2024-03-04T14:30:00") from None


def _history(_ctx: click.Context, _option: click.Parameter, value: str) -> int | None:
    """None for `all`."""
    from tickflag.services.replay.study.study import parse_horizons

    if value == "all":
        return None
    try:
        (only,) = parse_horizons(value)
    except ValueError:
        raise click.BadParameter(f"{value!r}: use `all`, or a number and s, m, h or d, as 2d") from None
    return only.ns


def _pace(_ctx: click.Context, _option: click.Parameter, value: str) -> float:
    """0 for `max`."""
    if value == "max":
        return 0.0
    try:
        pace = float(value)
    except ValueError:
        pace = 0.0
    if not 0 < pace < 1e9:
        raise click.BadParameter(f"{value!r}: use `max` or a positive number")
    return pace


def _horizons(_ctx: click.Context, _option: click.Parameter, value: str | None) -> "list[Horizon] | None":
    """None where not given."""
    from tickflag.services.replay.study.study import parse_horizons

    try:
        return None if value is None else parse_horizons(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _axes(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> "list[Combination]":
    from tickflag.services.replay.sweep import combinations, parse_axis

    try:
        return combinations(parse_axis(value) for value in values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _settings(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> "list[OwnSetting]":
    from tickflag.services.replay.traders import parse_setting

    try:
        return [parse_setting(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _flags(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, bool]:
    flags = {}
    for value in values:
        name, _, state = value.partition("=")
        if state not in ("on", "off"):
            raise click.BadParameter(f"{value!r}: use NAME=on or NAME=off")
        flags[name] = state == "on"
    return flags


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--traders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of trader files, or one file; may be repeated. Else what the engine would run.",
)
@click.option(
    "--settings", "own", multiple=True, callback=_settings, metavar="[TRADER.]KEY=VALUE",
    help="One of a trader's own settings, as period=20, of several traders rsi.period=20; may be repeated.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="NAME", help="Only this trader; may be repeated.")
@click.option(
    "--from", "from_ns", callback=_time, metavar="TIME", help="Start at this UTC time; rows before it are history."
)
@click.option("--to", "to_ns", callback=_time, metavar="TIME", help="Stop before this UTC time.")
@click.option(
    "--history",
    "history_ns",
    callback=_history,
    metavar="DURATION",
    default="all",
    show_default=True,
    help="How much before --from is history, as 2d.",
)
@click.option("--speed", callback=_pace, default="max", help="`max`, or a multiple of real time as 1 or 10.")
@click.option("--full", is_flag=True, help="Process all symbols in every cycle: tracking off.")
@click.option(
    "--flag", "flags", multiple=True, callback=_flags, metavar="NAME=on|off",
    help="A feature flag, of the engine or of a trader; may be repeated.",
)  # fmt: skip
@click.option(
    "--horizons",
    callback=_horizons,
    metavar="LIST",
    help="How long after entering the return is taken; else 1m,5m,15m,1h, or as many candles where these are longer.",
)
@click.option("--against", type=click.Choice(["full"]), help="Compare every cycle with tracking off; show no signals.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    callback=_axes,
    metavar="TRADER.SETTING=LIST",
    help="Run the trader with each of these values, as rsi.period=7,14; repeated ones make a grid.",
)
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="DIR", help="Write signals, entries and summary to DIR."
)
@click.option(
    "--chart", type=click.Path(path_type=Path), metavar="FILE", help="Write prices and matches to FILE, an HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="One signal a line, then one line with the summary.")
def replay(
    recordings: tuple[Path, ...],
    traders: tuple[Path, ...],
    own: "list[OwnSetting]",
    only: tuple[str, ...],
    from_ns: int | None,
    to_ns: int | None,
    history_ns: int | None,
    speed: float,
    full: bool,
    flags: dict[str, bool],
    horizons: "list[Horizon] | None",
    against: str | None,
    sweeps: "list[Combination]",
    report: Path | None,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Play RECORDINGS (Parquet ticks or klines, raw captures) through feed, traders and collector.

    Same input, same output: segment, update protocol and trader code are the live ones, the time is the recording's.
    Rows at fault are refused, named on standard error and counted; the rest goes on. What traders print goes there too.
    """
    _refuse("--against", against, {"--sweep": sweeps, "--full": full, "--report": report, "--chart": chart})
    _refuse("--sweep", sweeps, {"--only": only, "--report": report, "--chart": chart})
    if history_ns is not None and from_ns is None:
        raise click.UsageError("--history goes together with --from")
    from tickflag.services.cli.replay.modes import Job, compare, complain, play, sweep
    from tickflag.services.feed.recordings import RecordingError, open_recording
    from tickflag.services.replay.period import EVER, Period
    from tickflag.services.replay.study.resolution import Resolution
    from tickflag.services.replay.study.study import default_horizons
    from tickflag.services.replay.traders import configured, placed

    overrides: dict[str, Any] = {"trader": {"tracking": False}} if full else {}
    settings = configuration.load(**overrides)
    since_ns = 0 if history_ns is None else max((from_ns or 0) - history_ns, 0)
    period = Period(from_ns or 0, EVER if to_ns is None else to_ns, since_ns)
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        cast = placed(traders) if traders else configured(settings)
        try:
            opened = [open_recording(path, lambda fault: complain(f"row refused: {fault}")) for path in recordings]
            chosen = horizons or default_horizons(Resolution(opened))
            job = Job(settings, flags, opened, cast, own, period, speed, chosen, as_json, out)
            if against:
                show = compare(job, only)
            elif sweeps:
                show = sweep(job, sweeps)
            else:
                show = play(job, only, report, chart)
        except RecordingError as error:
            raise TickflagError(str(error)) from None
    for line in chain.from_iterable(recording.verdict() for recording in opened):
        complain(line)
    show()


def _refuse(option: str, given: object, others: dict[str, object]) -> None:
    for other, value in others.items():
        if given and value:
            raise click.UsageError(f"{option} and {other} do not go together")
