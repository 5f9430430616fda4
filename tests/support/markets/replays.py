"""`tickflag replay --json` in a process of its own or in this one. All settings but the given ones have their
defaults."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner

from tests.support.documents.pages import ROOT
from tests.support.processes.commands import run_command, tickflag_command
from tests.support.processes.waiting import WITHIN_S
from tickflag.services.cli.group import tickflag

NO_SETTINGS = ROOT / "tests" / "recordings"  # a folder without configuration files
EVERY_CYCLE = {"TICKFLAG_FEED__MIN_SWAP_INTERVAL_MS": "0", "TICKFLAG_FEED__RATE_LIMIT_MS": "0"}
"""A cycle for each moment at which something was known, with each update announced in its own cycle."""


@dataclass(frozen=True)
class ReplayOutcome:
    """What a run printed, and its exit code."""

    stdout: str
    stderr: str
    status: int

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def signals(self) -> list[dict[str, Any]]:
        return self.lines[:-1]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.lines[-1]["summary"]
        return summary


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith("TICKFLAG_")}
    return {**clean, "TICKFLAG_CONFIG": str(NO_SETTINGS), **settings}


def replay(*arguments: str | Path, settings: Mapping[str, str] | None = None) -> ReplayOutcome:
    """Run a replay in this process: the same code without the start of an interpreter."""
    return run("replay", "--json", *arguments, settings=settings)


def run(*arguments: str | Path, settings: Mapping[str, str] | None = None) -> ReplayOutcome:
    """Run any command in this process. An exception of a bug reaches the test."""
    with patch.dict(os.environ, _environment(settings or {}), clear=True):
        result = CliRunner().invoke(tickflag, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return ReplayOutcome(result.stdout, result.stderr, result.exit_code)


def replay_process(*arguments: str | Path) -> ReplayOutcome:
    """Run a replay in a process of its own."""
    done = run_command(tickflag_command("replay", "--json", *arguments), env=_environment({}), within_s=2 * WITHIN_S)
    return ReplayOutcome(done.stdout, done.stderr, done.returncode)


def write_ticks(path: Path, rows: Sequence[tuple[Any, ...]], **columns: Any) -> Path:
    """Write a Parquet file of ticks: (ts_ns, symbol, price, qty, bid, ask) each; `columns` replace or add some."""
    import pyarrow as pa
    import pyarrow.parquet

    names = ("ts_ns", "symbol", "price", "qty", "bid", "ask")
    content = dict(zip(names, zip(*rows, strict=True), strict=True)) | columns
    kinds = {"ts_ns": pa.int64(), "symbol": pa.string()}
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values, kinds.get(name, pa.float64()))
        for name, values in content.items()
        if values is not None
    }
    pyarrow.parquet.write_table(pa.table(arrays), path)
    return path
