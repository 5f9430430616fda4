"""`tickflag new-trader`: a trader to begin with, and its test."""

import importlib.util
import os
import sys
from pathlib import Path

import click

from tickflag.common import settings as configuration
from tickflag.services.testing.template import TEMPLATES, make_trader


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
    click.echo(f"then  tickflag check {trader}\n      {_test_command(test)}")


def _test_command(test: Path) -> str:
    """What runs the test here: in the repository its script, which installs what it needs."""
    if Path("scripts/test").is_file():
        return f"./scripts/test {test}"
    python = os.path.relpath(sys.executable)
    python = sys.executable if python.startswith("..") else python
    if importlib.util.find_spec("pytest") is None:
        return f"{python} -m pip install pytest\n      {python} -m pytest {test}"
    return f"{python} -m pytest {test}"
