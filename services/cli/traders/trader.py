"""`tickflag trader`: commands of operators on one trader. Each waits for its effect and says what happened."""

import time
from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.errors import TickflagError
from tickflag.common.wire.requests import Client
from tickflag.services.cli.connection import collector_client, local_settings
from tickflag.services.cli.operator import operator

WAIT_S = 60.0  # loading a trader may take long
_POLL_S = 0.05


@click.group()
def trader() -> None:
    """Start, stop, restart, enable, disable or release a trader, by its name."""


@trader.command()
@click.argument("name")
def start(name: str) -> None:
    """Run NAME again after `stop`, or at once instead of after a wait."""
    _order_to_run("start", name)


@trader.command()
@click.argument("name")
def stop(name: str) -> None:
    """Stop NAME until it is started, or the engine is. Its matches are stale meanwhile."""
    _order_to_end("stop", name, "stopped")


@trader.command()
@click.argument("name")
def restart(name: str) -> None:
    """Load NAME anew, with its code and settings as they are now. The old process runs until the new one can."""
    _order_to_run("restart", name)


@trader.command()
@click.argument("name")
def enable(name: str) -> None:
    """Run NAME, now and after every start of the engine."""
    _order_to_run("enable", name)


@trader.command()
@click.argument("name")
def disable(name: str) -> None:
    """Do not run NAME until it is enabled, not after a start of the engine either. Its matches leave."""
    _order_to_end("disable", name, "disabled")


@trader.command()
@click.argument("name")
def release(name: str) -> None:
    """Trust NAME again: end its quarantine, and hold no error against it."""
    with collector_client(configuration.load()) as client:
        client.ask("release", trader=name, who=operator())
    click.echo(f"{name} is released: both circuits are closed")


def _order_to_run(what: str, name: str) -> None:
    found = _order(what, name)
    if found["state"] != "running" or found["reason"]:
        raise TickflagError(f"trader {found['name']!r} is {found['state']}: {found['reason']}")
    version = f", version {found['trader_version']}" if found["trader_version"] else ""
    click.echo(f"{found['name']} runs (pid {found['pid']}{version})")


def _order_to_end(what: str, name: str, state: str) -> None:
    found = _order(what, name)
    if found["state"] != state:
        raise TickflagError(f"trader {found['name']!r} is {found['state']}: {found['reason']}")
    click.echo(f"{found['name']} is {state}")


def _order(what: str, name: str) -> dict[str, Any]:
    """Send the command, wait until it has come about, and give what the supervisor says of the trader."""
    with Client(local_settings().runtime_folder(), "trader") as supervisor:
        found: dict[str, Any] = supervisor.ask(what, trader=name)
        deadline = time.monotonic() + WAIT_S
        while found["busy"]:
            if time.monotonic() > deadline:
                raise TickflagError(f"trader {found['name']!r} is not ready after {WAIT_S:g} s: see `tickflag traders`")
            time.sleep(_POLL_S)
            found = supervisor.ask("trader", trader=found["label"])  # the label: the name may have changed
        return found
