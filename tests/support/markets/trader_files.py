"""Trader files for tests: one that is named `t`, of a few lines."""

from pathlib import Path

HEAD = """
import numpy as np
from common.traderapi import *

@hookimpl
def trader():
    return Trader(name="t"{declared})
"""


def written(folder: Path, body: str, declared: str = "") -> Path:
    """A trader's file. `body` has the hook that evaluates; `declared` are further fields of the Trader."""
    file = folder / "t.py"
    file.write_text(HEAD.format(declared=declared) + body)
    return file


def vector(answer: str, before: str = "") -> str:
    """A hook that gives `answer`, with the lines of `before` in front of it."""
    lines = "".join(f"    {line}\n" for line in before.splitlines())
    return f"@hookimpl\ndef evaluate(market):\n{lines}    return {answer}\n"
