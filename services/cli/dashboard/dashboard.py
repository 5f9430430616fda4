"""`tickflag dashboard`: the address of the running dashboard, and a link that lets a browser change things."""

from pathlib import Path

import click

from tickflag.common.errors import TickflagError
from tickflag.common.login_code import LIFE_S, make_code
from tickflag.common.runtime import Role, Runtime, ServedAddress
from tickflag.common.settings import Settings
from tickflag.services.cli.connection import local_settings


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open the link in a browser.")
@click.option("--token", "only_token", is_flag=True, help="Print the token alone, for programs.")
def dashboard(opens: bool, only_token: bool) -> None:
    """Show where the dashboard is, and a link that gives a browser the right to change things.

    The link counts once, for two minutes: each call prints a new one. Whoever has the token has that right, too. Exit
    code 1 where no dashboard is served.
    """
    settings = local_settings()
    if only_token:
        click.echo(_token(settings.token_path()))
        return
    url = _address(settings, settings.runtime_folder())
    link = f"{url}/login?code={make_code(_token(settings.token_path()))}"
    if opens:
        import webbrowser

        if not webbrowser.open(link):
            raise TickflagError(f"no browser could be opened: open the link that `tickflag dashboard` prints, or {url}")
        click.echo(f"opened {url}")
        return
    click.echo(f"address    {url}")
    click.echo(f"link       {link}")
    click.echo(f"The link counts once, within {LIFE_S} s.", err=True)


def _address(settings: Settings, runtime: Runtime) -> str:
    """Where it is served. Raises TickflagError with what to do where it is not."""
    url = ServedAddress(runtime, "dashboard").read()
    if url:
        return url
    if not settings.dashboard.enabled or not settings.dashboard.port:
        raise TickflagError("the dashboard is switched off: set `dashboard.enabled` and `dashboard.port`")
    if url is not None:
        raise TickflagError(
            "the dashboard runs, and is not served anywhere: its first line says why, and `tickflag doctor` what to do"
        )
    if Role.holder(runtime, "dashboard") is not None:
        raise TickflagError("the dashboard is still starting: ask again")
    raise TickflagError(
        f"no dashboard is running for instance {settings.instance!r} (start it with `tickflag start`, or "
        "`python -P -m tickflag.services.dashboard` beside a running engine)"
    )


def _token(path: Path) -> str:
    """The token that the dashboard made. Raises TickflagError where there is none yet."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        raise TickflagError(
            f"there is no token yet, as the dashboard was never started: {path} would hold it"
        ) from None
    except OSError as error:
        raise TickflagError(f"token file {path}: {error.strerror}: set `dashboard.token_file`") from None
