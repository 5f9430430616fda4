"""`tickflag signals`: what entered, left or moved, from the journal and live."""

import contextlib
import itertools
from collections.abc import Generator, Iterator

import click

from common import settings as configuration
from common.errors import TickflagError
from common.follower import Follower, Signal, newest
from common.messages import Signals
from common.requests import Ask
from common.settings import Settings
from services.cli.connection import collector
from services.cli.following import following
from services.cli.output import clock, number, one_line, show_json_line

DEFAULT_LIMIT = 20
_STYLES = {"entered": "green", "left": "red", "score": "cyan"}


@click.command()
@click.option("--since", type=click.IntRange(min=0), metavar="N", help="Signals with a number above N.")
@click.option("--follow", is_flag=True, help="Go on with new signals as they come, without a gap, until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N signals.")
@click.option("--trader", metavar="TRADER", help="Only this trader's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def signals(since: int | None, follow: bool, limit: int | None, trader: str | None, as_json: bool) -> None:
    """Show signals: a symbol entered or left a trader's matches, or its score moved.

    Without --since the newest 20, or with --follow only those that come from now on.
    """
    settings = configuration.load()
    with (
        collector(settings) as client,
        contextlib.closing(_chosen(settings, client.ask, since, follow, limit, trader)) as chosen,
        contextlib.suppress(KeyboardInterrupt),
    ):  # Ctrl-C is how a follower is meant to end
        for signal in chosen:
            _show(signal, as_json)


def _chosen(
    settings: Settings, ask: Ask, since: int | None, follow: bool, limit: int | None, trader: str | None
) -> Generator[Signal, None, None]:
    if trader is not None:
        _check_trader(ask, trader)

    def wanted(signal: Signal) -> bool:
        return trader is None or signal["trader"] == trader

    if follow:
        found = _follow(settings, ask, since)
    elif since is not None:
        found = Follower(ask, since, _notice).replay()
    else:
        found = iter(newest(ask, limit or DEFAULT_LIMIT, wanted))
    yield from itertools.islice(filter(wanted, found), limit)


def _follow(settings: Settings, ask: Ask, since: int | None) -> Iterator[Signal]:
    """Without end, or until nobody reads our output any more. Raises TickflagError where we are not let in."""
    with following(settings, ask) as messages:
        start = ask("status")["collector"]["last_seq"] if since is None else since
        follower = Follower(ask, start, _notice)
        yield from follower.replay()
        for message in messages:
            if isinstance(message, Signals):
                yield from follower.take(message)


def _check_trader(ask: Ask, trader: str) -> None:
    known = [one["name"] for one in ask("traders")]
    if not known:
        raise TickflagError(
            f"no trader {trader!r}: none is known yet: the engine is still starting, or runs no traders "
            "(see `tickflag status`)"
        )
    if trader not in known:
        raise TickflagError(f"no trader {trader!r}: known are {', '.join(known)}")


def _notice(text: str) -> None:
    click.echo(f"tickflag: {text}", err=True)


def _show(signal: Signal, as_json: bool) -> None:
    if as_json:
        show_json_line(signal)
        return
    event = click.style(f"{signal['event']:<7}", fg=_STYLES.get(signal["event"]))
    note = f"  {one_line(signal['note'])}" if signal["note"] else ""
    click.echo(
        f"{clock(signal['time_ms'])}  {signal['seq']:>8}  {signal['trader']:<20} {event}  {signal['symbol']:<16} "
        f"{number(signal['score'])}{note}"
    )
