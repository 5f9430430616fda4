"""`tickflag new-trader`: a trader to begin with, and its test."""

from pathlib import Path

import click

from common import settings as configuration
from services.testing.template import TEMPLATES, make_trader


@click.command("new-trader")
@click.argument("name")
@click.option(
    "--template", type=click.Choice(TEMPLATES), default=TEMPLATES[0], show_default=True, help="What it begins as."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to; else `trader.plugins`.")
def new_trader(name: str, template: str, folder: Path | None) -> None:
    """Write the trader NAME and a test of it. Nothing is overwritten."""
    trader, test = make_trader(name, template, folder or configuration.load().trader.plugins)
    click.echo(f"made  {trader}\n      {test}")
    click.echo(f"then  tickflag check {trader}\n      pytest {test}")
