"""resolved_settings: every setting with its value and origin, secrets masked."""

import re
from typing import Any

from tickflag.common import settings as configuration

MASK = "**********"
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|(api|access|private|secret)[-_ ]?key|auth(?!ors?$)", re.I
)


def resolved_settings() -> list[tuple[tuple[str, ...], Any, str]]:
    """Key, value and origin of each setting; a default has no origin. Values are plain data; secrets are masked."""
    entries = []
    for name, content in configuration.load().model_dump(mode="json").items():
        for key, value in _leaves((name,), content):
            entries.append((key, MASK if value and _secret(key) else value, configuration.origin(key)))
    return entries


def _secret(key: tuple[str, ...]) -> bool:
    """Whether the key is a trader's own setting whose name says that it is a secret."""
    return key[0] == "traders" and any(_SECRET.search(part) for part in key[3:])


def _leaves(key: tuple[str, ...], value: Any) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in _leaves((*key, name), inner)]
    return [(key, value)]
