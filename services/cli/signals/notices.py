"""`tickflag notices`: what happened to circuits and feature flags, from the journal and live."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from common import settings as configuration
from common.messages import Notices
from common.requests import Ask
from common.settings import Settings
from services.cli.connection import collector
from services.cli.following import following
from services.cli.output import one_line, show_json_line

NEWEST = 20
PAGE = 1_000

Notice = dict[str, Any]


@click.command()
@click.option("--since", type=click.IntRange(min=0), metavar="N", help="Notices with a number above N.")
@click.option("--follow", is_flag=True, help="Go on with new notices as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def notices(since: int | None, follow: bool, as_json: bool) -> None:
    """Show notices: circuits that opened and closed, feature flags that were changed. The newest 20 without --since."""
    settings = configuration.load()
    with collector(settings) as client, contextlib.suppress(KeyboardInterrupt):
        found = _followed(settings, client.ask, since) if follow else _listed(client.ask, since)
        for notice in found:
            _show(notice, as_json)


def _listed(ask: Ask, since: int | None) -> Iterator[Notice]:
    """All beyond `since`."""
    if since is None:
        since = max(0, ask("notices", limit=1)["last_seq"] - NEWEST)
    while True:
        page = ask("notices", since=since, limit=PAGE)
        yield from page["notices"]
        if not page["notices"] or page["notices"][-1]["seq"] >= page["last_seq"]:
            return
        since = page["notices"][-1]["seq"]


def _followed(settings: Settings, ask: Ask, since: int | None) -> Iterator[Notice]:
    """Without end. Each once: where one is missing on the way, the journal has it."""
    with following(settings, ask) as messages:
        last = ask("notices", limit=1)["last_seq"] if since is None else since
        for notice in _listed(ask, last):
            last = notice["seq"]
            yield notice
        for message in messages:
            if not isinstance(message, Notices) or message.last_seq <= last:
                continue
            fresh = [notice.model_dump() for notice in message.notices if notice.seq > last]
            if not fresh or fresh[0]["seq"] != last + 1:
                fresh = list(_listed(ask, last))
            for notice in fresh:
                last = notice["seq"]
                yield notice


def _show(notice: Notice, as_json: bool) -> None:
    if as_json:
        show_json_line(notice)
        return
    when = datetime.fromtimestamp(notice["time_ms"] / 1000).strftime("%Y-%m-%d %H:%M:%S")
    change = f"{notice['before']} -> {notice['after']}" if notice["before"] else notice["after"]
    reason = f"  ({one_line(notice['reason'])})" if notice["reason"] else ""
    about = f"{notice['trader'] or '-':<20} {notice['what']}: {one_line(change)}{reason}"
    click.echo(f"{when}  {notice['seq']:>6}  {about}")
