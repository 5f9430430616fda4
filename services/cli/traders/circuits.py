"""`tickflag circuits` and `tickflag errors`: the circuits and errors of the traders."""

from typing import Any

import click

from tickflag.common import settings as configuration
from tickflag.common.units import MS_PER_S
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.known_traders import check_trader
from tickflag.services.cli.output import date_and_time, duration, json_option, one_line, show_json, show_table


@click.command()
@click.argument("trader", required=False, default="")
@json_option
def circuits(trader: str, as_json: bool) -> None:
    """Show the circuits of the traders that ever failed, or of TRADER."""
    with collector_client(configuration.load()) as client:
        found: list[dict[str, Any]] = client.ask("circuits", trader=trader)
        if trader and not found:
            check_trader(client.ask, trader)
    if as_json:
        show_json(found)
    elif not found:
        click.echo("no failures: every circuit is closed")
    else:
        show_table(
            ("trader", "circuit", "state", ">for", ">errors", ">clean cycles", ">opened", ">next at the latest in"),
            [
                (
                    one["trader"],
                    one["circuit"],
                    one["state"],
                    duration(one["for_s"] * MS_PER_S),
                    f"{one['errors']} of {one['of']}" if one["state"] == "closed" else "-",
                    f"{one['clean_cycles']:,}",
                    f"{one['opened']:,}",
                    "-" if one["due_in_s"] is None else duration(max(0.0, one["due_in_s"]) * MS_PER_S),
                )
                for one in found
            ],
        )


@click.command()
@click.argument("trader", required=False, default="")
@click.option("--stack", is_flag=True, help="With the stack of each error's first time.")
@json_option
def errors(trader: str, stack: bool, as_json: bool) -> None:
    """Show the errors of all traders, or of TRADER: each once, the one that came last first."""
    with collector_client(configuration.load()) as client:
        found: dict[str, Any] = client.ask("errors", trader=trader)
        if trader and not found["errors"]:
            check_trader(client.ask, trader)
    if as_json:
        show_json(found)
        return
    if not found["errors"]:
        click.echo("no errors")
    for error in found["errors"]:
        last, first = date_and_time(error["last_ms"]), date_and_time(error["first_ms"])
        click.echo(
            f"{last}  {error['trader']:<20} {error['kind']:<10} {error['count']:>6,} x since "
            f"{first}  {one_line(error['text'])}"
        )
        if stack and error["stack"]:
            for line in error["stack"].splitlines():
                click.echo(f"    {one_line(line)}")
    if found["forgotten"]:
        click.echo(f"{found['forgotten']:,} older errors made room")
