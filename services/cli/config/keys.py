"""`tickflag keys`: the keys by which an engine and the operators on other machines know one another."""

import re
from pathlib import Path

import click

from tickflag.common import settings as configuration
from tickflag.common.errors import TickflagError
from tickflag.common.wire import keys as files
from tickflag.common.wire.allowlist import AllowList
from tickflag.services.cli.output import json_option, show_json, show_table

SERVER = "server"


@click.group()
def keys() -> None:
    """Keys of operators on other machines: make one, allow it, take it back."""


@keys.command()
def new_server() -> None:
    """Make the engine's key, on the engine's machine."""
    path = configuration.load().server_key_path()
    if not path.name.endswith(files.SECRET):
        raise TickflagError(f"setting `remote.server_key`: the file's name must end in `{files.SECRET}`")
    public, secret = files.create(_made(path.parent), path.name.removesuffix(files.SECRET))
    click.echo(f"secret key  {secret}: it stays here")
    click.echo(f"public key  {public}: copy it to each operator's machine")
    click.echo("Then set `remote.commands`, as tcp://0.0.0.0:7711, and allow each operator: tickflag keys allow FILE")


@keys.command()
@click.argument("name")
def new_client(name: str) -> None:
    """Make a key for the operator NAME, on the operator's machine."""
    settings = configuration.load()
    if name == SERVER:
        raise TickflagError(f"key {name!r}: that is the name of the engine's own")
    public, secret = files.create(_made(settings.keys_folder()), _checked(name))
    click.echo(f"secret key  {secret}: it stays here")
    click.echo(f"public key  {public}: copy it to the engine's machine, and there: tickflag keys allow {public.name}")
    click.echo(f"Copy `{SERVER}{files.PUBLIC}` from there to {settings.connect_key_path()}, and set here:")
    click.echo()
    click.echo("[remote]")
    click.echo('connect = "tcp://HOST:7711"')
    click.echo(f'client_key = "{secret}"')


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def allow(file: Path) -> None:
    """Let the operator in whose public key FILE holds, on the engine's machine. The file's name is the operator's."""
    allowed = _allowed()
    name = _checked(file.name.removesuffix(files.PUBLIC))
    key = files.load_public(file)
    for known, present in allowed.names.items():
        if known == key:
            click.echo(f"{present} is allowed already")
            return
        if present == name:
            raise TickflagError(f"another key of the name {name!r} is allowed: `tickflag keys revoke {name}` first")
    files.write_public(_made(allowed.folder) / f"{name}{files.PUBLIC}", key)
    click.echo(f"{name} is allowed")


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List who is allowed, on the engine's machine."""
    allowed = _allowed()
    found = [{"name": name, "key": key.decode()} for key, name in allowed.names.items()]
    if as_json:
        show_json({"folder": str(allowed.folder), "allowed": found, "trouble": allowed.trouble})
        return
    if found:
        show_table(("name", "key"), [(one["name"], one["key"]) for one in found])
    else:
        click.echo("nobody is allowed")
    for trouble in allowed.trouble:
        click.echo(f"warning: {trouble}", err=True)


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let NAME in no more. A running collector refuses it within its heartbeat."""
    allowed = _allowed()
    try:
        (allowed.folder / f"{_checked(name)}{files.PUBLIC}").unlink()
    except FileNotFoundError:
        known = ", ".join(sorted(allowed.names.values())) or "none"
        raise TickflagError(f"no key {name!r} is allowed: allowed are {known}") from None
    click.echo(f"{name} is allowed no more")


def _allowed() -> AllowList:
    allowed = AllowList(configuration.load().allowed_path())
    allowed.refresh()
    return allowed


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise TickflagError(f"key {name[:80]!r}: use 1 to 64 letters, digits, '.', '_' or '-'")
    return name


def _made(folder: Path) -> Path:
    """The folder; makes it, for its owner only, if it is missing."""
    try:
        with files.owner_only():
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TickflagError(f"{folder}: {error.strerror}") from None
    return folder
