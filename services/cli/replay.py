"""`tickflag replay`: recordings through the engine in lock-step."""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from common import settings as configuration
from common.errors import PluginError, TickflagError
from common.messages import Signal

if TYPE_CHECKING:
    from services.trader.plugin import Plugin


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--traders", type=click.Path(path_type=Path), help="Folder of trader files, or one file; else `trader.plugins`."
)
@click.option("--speed", default="max", help="`max`, or a multiple of real time as 1 or 10.")
@click.option("--full", is_flag=True, help="Process all symbols in every cycle: tracking off.")
@click.option("--json", "as_json", is_flag=True, help="One signal a line, then one line with the summary.")
def replay(recordings: tuple[Path, ...], traders: Path | None, speed: str, full: bool, as_json: bool) -> None:
    """Play RECORDINGS (Parquet ticks or klines, raw captures) through feed, traders and collector.

    Same input, same output: segment, update protocol and trader code are the live ones, the time is the recording's.
    Rows at fault are refused, named on standard error and counted; the rest goes on. What traders print goes there too.
    """
    from services.feed.recordings import RecordingError, open_recording
    from services.replay.engine import Replay

    overrides: dict[str, Any] = {"trader": {"tracking": False}} if full else {}
    settings = configuration.load(**overrides)
    pace = _pace(speed)
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        plugins = _loaded(_trader_files(traders or settings.trader.plugins))
        try:
            opened = [open_recording(path, lambda fault: _complain(f"row refused: {fault}")) for path in recordings]
            with Replay(settings, opened, plugins, _complain, pace) as engine:
                total = sum(recording.rows for recording in opened)
                show = _as_json if as_json else _as_text
                with _progress(total, out) as advance:
                    for signal in engine.run():
                        show(signal, out)
                        advance(engine.applied)
                summary = engine.summary().plain()
        except RecordingError as error:
            raise TickflagError(str(error)) from None
    if as_json:
        click.echo(json.dumps({"summary": summary}))
    else:
        _table(summary)


def _loaded(paths: list[Path]) -> "list[Plugin]":
    """The traders that can run. Of two files that declare the same name the first by file name has it."""
    from services.trader.plugin import load_plugin

    plugins: dict[str, Plugin] = {}
    holders: dict[str, Path] = {}
    for path in paths:
        try:
            plugin = load_plugin(path)
        except PluginError as error:
            _complain(f"trader skipped: {error}")
            continue
        name = plugin.trader.name
        if name in plugins:
            _complain(f"trader skipped: {path.name}: the name {name!r} is already that of {holders[name].name}")
            continue
        plugins[name], holders[name] = plugin, path
    if not plugins:
        raise TickflagError("no trader to replay with")
    return list(plugins.values())


def _pace(speed: str) -> float:
    if speed == "max":
        return 0.0
    try:
        pace = float(speed)
    except ValueError:
        pace = 0.0
    if not 0 < pace < 1e9:
        raise click.BadParameter(f"{speed!r}: use `max` or a positive number", param_hint="--speed")
    return pace


def _trader_files(where: Path) -> list[Path]:
    if where.is_file():
        return [where]
    if not where.is_dir():
        raise TickflagError(f"no such folder or file of traders: {where}")
    return sorted(path for path in where.glob("*.py") if not path.name.startswith(("_", ".")))


def _complain(text: str) -> None:
    click.echo(text, err=True)


def _as_json(signal: Signal, out: TextIO) -> None:
    out.write(json.dumps(dict(zip(_FIELDS, (getattr(signal, name) for name in _FIELDS), strict=True))) + "\n")


_FIELDS = ("seq", "trader", "symbol", "event", "score", "time_ms", "cycle")


def _as_text(signal: Signal, out: TextIO) -> None:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(signal.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    click.echo(f"{moment}  {signal.trader:<16} {signal.event:<8} {signal.symbol:<28} {signal.score:.6g}", out)


class _progress:  # noqa: N801 - used as a function
    """A progress bar on standard error where that is a terminal and signals do not run through it."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._bar: Any = None
        if sys.stderr.isatty() and not out.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True))
            self._task = self._bar.add_task("replay", total=total)

    def __enter__(self) -> Callable[[int], None]:
        if self._bar is not None:
            self._bar.start()
        return self._advance

    def _advance(self, applied: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=applied)

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _table(summary: dict[str, Any]) -> None:
    click.echo("")
    for trader, matches in summary["matches"].items():
        shown = ", ".join(f"{symbol} {score:.4g}" for symbol, score in list(matches.items())[:8])
        click.echo(f"{trader:<16} {len(matches):>5} matches  {shown}{' ...' if len(matches) > 8 else ''}")
    click.echo(
        f"{summary['ticks']:,} updates of {summary['symbols']:,} symbols in {summary['cycles']:,} cycles; "
        f"{summary['processed']:,} evaluations, {summary['efficiency']:.1%} not needed; results "
        f"{summary['bytes_sent']:,} bytes, full ones would be {summary['bytes_full']:,}"
    )
