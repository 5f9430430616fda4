"""Trader files for tests: a trader named `t`, in a few lines."""

from pathlib import Path

HEAD = """
import numpy as np
from tickflag import *

@hookimpl
def trader():
    return Trader(name="t"{declared})
"""


def written(folder: Path, body: str, declared: str = "") -> Path:
    """Write a trader's file. `body` has the hook that evaluates; `declared` holds further fields of the Trader."""
    file = folder / "t.py"
    file.write_text(HEAD.format(declared=declared) + body)
    return file


def vector(answer: str, before: str = "") -> str:
    """A hook that gives `answer`; the lines of `before` come first."""
    lines = "".join(f"    {line}\n" for line in before.splitlines())
    return f"@hookimpl\ndef evaluate(market):\n{lines}    return {answer}\n"
