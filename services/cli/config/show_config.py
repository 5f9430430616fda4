"""`tickflag show-config`: the resolved settings, each with its origin."""

import json
import re
from typing import Any

import click

from tickflag.common.diagnosis.resolved_settings import resolved_settings
from tickflag.services.cli.output import json_option, show_json


@click.command()
@json_option
def show_config(as_json: bool) -> None:
    """Show every setting with its value, and where one that is not the default is set."""
    entries = resolved_settings()
    if as_json:
        show_json({".".join(key): {"value": value, "set_by": origin or "default"} for key, value, origin in entries})
        return
    for text in as_toml(entries):
        click.echo(text)


def as_toml(entries: list[tuple[tuple[str, ...], Any, str]]) -> list[str]:
    """The entries as lines of a configuration file, the origins as comments."""
    lines = []
    block: tuple[str, ...] = ()
    for key, value, origin in entries:
        if value == {}:  # a table of names that has no entry
            block = key
            lines += ["", f"[{'.'.join(map(_bare, block))}]"]
            continue
        if key[:-1] != block:
            block = key[:-1]
            lines += ["", f"[{'.'.join(map(_bare, block))}]"]
        # Texts, numbers, booleans and lists of them are written in TOML as in JSON.
        text = f"{_bare(key[-1])} = {json.dumps(value, ensure_ascii=False)}"
        lines.append(f"{text:<40}  # {origin}" if origin else text)
    return lines


def _bare(name: str) -> str:
    """A part of a TOML key, in quotes where TOML needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
