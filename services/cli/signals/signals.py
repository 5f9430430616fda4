"""`tickflag signals`: what entered, left or moved, from the journal and live."""

import contextlib
import itertools
from collections.abc import Generator, Iterator

import click

from tickflag.common import settings as configuration
from tickflag.common.client.follower.events import NewSignals, Place
from tickflag.common.client.journal_pages import Row, journalled, newest
from tickflag.common.settings import Settings
from tickflag.common.streams import visible
from tickflag.common.wire.requests import Ask
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.known_traders import check_trader
from tickflag.services.cli.output import number, one_line, show_json_line, time_of_day
from tickflag.services.cli.signals.following import check_published, followed

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
        collector_client(settings) as client,
        contextlib.closing(_selected(settings, client.ask, since, follow, limit, trader)) as chosen,
        contextlib.suppress(KeyboardInterrupt),
    ):  # Ctrl-C is the usual way to end following
        signal = None
        for signal in chosen:
            _show(signal, as_json)
        if signal is None and not follow and not as_json:
            click.echo(f"tickflag: no signals{' yet' if since is None else f' above {since}'}", err=True)


def _selected(
    settings: Settings, ask: Ask, since: int | None, follow: bool, limit: int | None, trader: str | None
) -> Generator[Row, None, None]:
    if trader is not None:
        check_trader(ask, trader)

    def wanted(signal: Row) -> bool:
        return trader is None or signal["trader"] == trader

    if follow:
        found = _follow(settings, ask, since)
    elif since is not None:
        found = journalled(ask, "signals", since)
    else:
        found = iter(newest(ask, limit or DEFAULT_LIMIT, wanted))
    yield from itertools.islice(filter(wanted, found), limit)


def _follow(settings: Settings, ask: Ask, since: int | None) -> Iterator[Row]:
    """The signals after the number `since`, or from now on, until nobody reads our output any more.

    Raises TickflagError where there is no such number, or the other machine refuses us.
    """
    collector = ask("status")["collector"]
    check_published(settings, collector)
    if since is None:
        since = collector["last_seq"]
    page = ask("signals", since=since, limit=1)
    place = Place(page.get("journal_id", ""), since, ask("notices", limit=1)["last_seq"])
    for event in followed(settings, place):
        if isinstance(event, NewSignals):
            yield from (signal.model_dump() for signal in event.signals)


def _show(signal: Row, as_json: bool) -> None:
    if as_json:
        show_json_line(signal)
        return
    event = click.style(f"{signal['event']:<7}", fg=_STYLES.get(signal["event"]))
    note = f"  {one_line(signal['note'])}" if signal["note"] else ""
    symbol = visible(signal["symbol"])
    click.echo(
        f"{time_of_day(signal['time_ms'])}  {signal['seq']:>8}  {signal['trader']:<20} {event}  {symbol:<16} "
        f"{number(signal['score'])}{note}"
    )
