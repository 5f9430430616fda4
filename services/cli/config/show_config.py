"""`tickflag show-config`: the resolved settings, with where each comes from."""

import json
import re
from typing import Any

import click

from common import settings as configuration
from services.cli.output import json_option, show_json

MASK = "**********"
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|(api|access|private|secret)[-_ ]?key|auth(?!ors?$)", re.I
)


@click.command()
@json_option
def show_config(as_json: bool) -> None:
    """Show every setting with its value, and where one that is not the default is set."""
    entries = resolved()
    if as_json:
        show_json({".".join(key): {"value": value, "set_by": origin or "default"} for key, value, origin in entries})
        return
    for text in as_toml(entries):
        click.echo(text)


def resolved() -> list[tuple[tuple[str, ...], Any, str]]:
    """(key, value, where it was set or nothing) of each. Values are plain, secrets are masked."""
    entries = []
    for name, content in configuration.load().model_dump(mode="json").items():
        for key, value in _leaves((name,), content):
            entries.append((key, MASK if value and _secret(key) else value, configuration.origin(key)))
    return entries


def as_toml(entries: list[tuple[tuple[str, ...], Any, str]]) -> list[str]:
    """Lines that a configuration file may hold, the origins as comments."""
    lines = []
    block: tuple[str, ...] = ()
    for key, value, origin in entries:
        if value == {}:  # a table of names with none in it
            block = key
            lines += ["", f"[{'.'.join(map(_bare, block))}]"]
            continue
        if key[:-1] != block:
            block = key[:-1]
            lines += ["", f"[{'.'.join(map(_bare, block))}]"]
        # JSON's texts, numbers, booleans and lists of them are TOML's too.
        text = f"{_bare(key[-1])} = {json.dumps(value, ensure_ascii=False)}"
        lines.append(f"{text:<40}  # {origin}" if origin else text)
    return lines


def _bare(name: str) -> str:
    """A part of a TOML key, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _secret(key: tuple[str, ...]) -> bool:
    """A trader's own setting whose name says that it is not for everybody."""
    return key[0] == "traders" and any(_SECRET.search(part) for part in key[3:])


def _leaves(key: tuple[str, ...], value: Any) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in _leaves((*key, name), inner)]
    return [(key, value)]
