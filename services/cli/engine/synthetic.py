"""`tickflag synthetic`: steer the synthetic market."""

import click

from tickflag.common.wire.requests import Client
from tickflag.services.cli.connection import local_settings


@click.group()
def synthetic() -> None:
    """Steer the synthetic market (`feed.source` = synthetic)."""


@synthetic.command()
@click.argument("symbols", type=click.IntRange(min=1))
def burst(symbols: int) -> None:
    """Let SYMBOLS symbols tick at once."""
    with Client(local_settings().runtime_folder(), "feed") as feed:
        answer = feed.ask("burst", symbols=symbols)
    click.echo(f"{answer['symbols']:,} symbols tick at once")
