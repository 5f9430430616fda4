"""`tickflag notices`: what happened to circuits and feature flags, from the journal and live."""

import contextlib
from collections.abc import Iterator

import click

from tickflag.common import settings as configuration
from tickflag.common.client.follower.events import NewNotices, Place
from tickflag.common.client.journal_pages import Row, journalled
from tickflag.common.settings import Settings
from tickflag.common.wire.requests import Ask
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.output import date_and_time, one_line, show_json_line
from tickflag.services.cli.signals.following import check_published, followed

NEWEST = 20


@click.command()
@click.option("--since", type=click.IntRange(min=0), metavar="N", help="Notices with a number above N.")
@click.option("--follow", is_flag=True, help="Go on with new notices as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def notices(since: int | None, follow: bool, as_json: bool) -> None:
    """Show notices: circuits that opened and closed, feature flags that were changed. The newest 20 without --since."""
    settings = configuration.load()
    with collector_client(settings) as client, contextlib.suppress(KeyboardInterrupt):
        if follow:
            found = _follow(settings, client.ask, since)
        else:
            found = journalled(client.ask, "notices", _newest(client.ask) if since is None else since)
        notice = None
        for notice in found:
            _show(notice, as_json)
        if notice is None and not follow and not as_json:
            click.echo(f"tickflag: no notices{' yet' if since is None else f' above {since}'}", err=True)


def _newest(ask: Ask) -> int:
    """The number after which the newest notices begin."""
    return max(0, int(ask("notices", limit=1)["last_seq"]) - NEWEST)


def _follow(settings: Settings, ask: Ask, since: int | None) -> Iterator[Row]:
    """The notices after the number `since`, or from now on, until nobody reads our output any more."""
    collector = ask("status")["collector"]
    check_published(settings, collector)
    page = ask("notices", limit=1)
    first, last = page["first_seq"], page["last_seq"]
    begin = last if since is None else min(max(since, first - 1), last)
    for event in followed(settings, Place(collector.get("journal_id", ""), collector["last_seq"], begin)):
        if isinstance(event, NewNotices):
            yield from (notice.model_dump() for notice in event.notices)


def _show(notice: Row, as_json: bool) -> None:
    if as_json:
        show_json_line(notice)
        return
    when = date_and_time(notice["time_ms"])
    change = f"{notice['before']} -> {notice['after']}" if notice["before"] else notice["after"]
    reason = f"  ({one_line(notice['reason'])})" if notice["reason"] else ""
    about = f"{notice['trader'] or '-':<20} {notice['what']}: {one_line(change)}{reason}"
    click.echo(f"{when}  {notice['seq']:>6}  {about}")
