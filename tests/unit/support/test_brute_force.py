"""The brute force is independent of the engine, and says what a hand calculates."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.generated_captures import MS, kline, trade, write_capture
from tests.support.markets.generated_rows import BEGIN_S
from tests.support.oracles.brute_force.files import read_recordings
from tests.support.oracles.brute_force.rows import SECOND, grid_start
from tests.support.oracles.brute_force.turns import BruteReplay

FOLDER = ROOT / "tests" / "support" / "oracles" / "brute_force"
FILES = sorted(FOLDER.glob("*.py"))
HERE = "tests.support.oracles.brute_force"
MINUTE_MS = BEGIN_S * 1_000
"""The beginning of a minute."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_engine(path: Path) -> None:
    """Only the standard library, pyarrow, numpy and its own files."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "." * node.level] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            known = {"numpy", "pyarrow"} | sys.stdlib_module_names
            assert name.split(".")[0] in known or name.startswith(HERE), f"{path.name} imports {name}"


def test_it_runs_without_the_engine() -> None:
    """Nothing that it imports loads a module of the engine either."""
    modules = ", ".join(f"{HERE}.{path.stem}" for path in FILES if path.stem != "__init__")
    check = "assert not [name for name in sys.modules if name.split('.')[0] in ('tickflag', 'common', 'services')]"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; {check}"], check=True, cwd=ROOT, timeout=60)


def replayed(tmp_path: Path, *messages: object) -> BruteReplay:
    rows, _ = read_recordings([write_capture(messages, tmp_path / "a.jsonl")])  # type: ignore[arg-type]
    return BruteReplay(rows, ("1m", "5m"), []).run()


def test_a_trade_out_of_order(tmp_path: Path) -> None:
    """Trades at 1 s, 30 s and, late, 0.5 s: the last opens the candle, the second closes it and is the last price."""
    stamps = [(1_000, 1_000, 100.0), (30_000, 30_000, 105.0), (30_500, 500, 90.0), (90_000, 90_000, 110.0)]
    market = replayed(
        tmp_path,
        *(trade((MINUTE_MS + at) * MS, "A", MINUTE_MS + time, price, 1.0) for at, time, price in stamps),
    ).market
    symbol = market.symbols["A"]
    assert symbol.intervals[60 * SECOND].closed == [(BEGIN_S, 90.0, 105.0, 90.0, 105.0, 3.0, 3.0)]
    assert (symbol.last, symbol.volume) == (110.0, 4.0)


def test_a_lost_final_candle(tmp_path: Path) -> None:
    """What is known of the minute counts once, in volume and in the longer candle."""
    words = [
        kline((MINUTE_MS + minute * 60_000 + at) * MS, "A", "1m", MINUTE_MS + minute * 60_000,
              (100.0, 101.0, 99.0, 100.0, volume), closed)
        for minute in range(-3, 2)
        for at, volume, closed in ((2_000, 4.0, False), (58_000, 9.0, False), (60_050, 10.0, True))
        if not (closed and minute == -1)
    ]  # fmt: skip
    symbol = replayed(tmp_path, *words).market.symbols["A"]
    assert symbol.volume == 49.0
    assert [row[5] for row in symbol.intervals[60 * SECOND].closed] == [10.0, 10.0, 9.0, 10.0, 10.0]


@pytest.mark.parametrize(("day", "begins"), [("2024-03-04", "2024-03-04"), ("2024-03-10", "2024-03-04")])
def test_weeks_begin_on_monday(day: str, begins: str) -> None:
    """Monday and Sunday are of one week."""
    from datetime import UTC, datetime

    times = [int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND for text in (day, begins)]
    assert grid_start(times[0] + SECOND, 7 * 86_400 * SECOND) == times[1]
