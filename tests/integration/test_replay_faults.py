"""Replays with recordings and traders at fault: each fault is named in one line, and the rest goes on."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.support.documents.pages import ROOT
from tests.support.harnesses.engine import write_trader
from tests.support.markets.generated import START_MS, TICKS
from tests.support.markets.replays import ReplayOutcome, replay, replay_process, run, write_ticks
from tickflag.common.units import NS_PER_S

START_NS = START_MS * 1_000_000

ABOVE = """\
    @hookimpl
    def evaluate(market):
        return np.where(market.last > 10.0, market.last, np.nan)
    """


@pytest.fixture
def traders(tmp_path: Path) -> Path:
    """A folder with one sound trader, `above`: it matches where the price is above 10."""
    folder = tmp_path / "traders"
    write_trader(folder, "above", _dedented(ABOVE))
    return folder


def _dedented(body: str) -> str:
    return "\n".join(line[4:] if line.startswith("    ") else line for line in body.splitlines()) + "\n"


def _trade(second: int, symbol: str, price: float, qty: float = 1.0) -> tuple[Any, ...]:
    return START_NS + second * NS_PER_S, symbol, price, qty, None, None


GOOD = [_trade(0, "A", 11.0), _trade(1, "B", 5.0), _trade(2, "C", 12.0), _trade(3, "A", 9.0)]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Four trades of three symbols."""
    return write_ticks(tmp_path / "good.parquet", GOOD)


def _events(outcome: ReplayOutcome, trader: str = "above") -> list[tuple[str, str]]:
    return [(s["symbol"], s["event"]) for s in outcome.signals if s["trader"] == trader]


GOOD_EVENTS = [("A", "entered"), ("C", "entered"), ("A", "left")]


def _assert_refused(outcome: ReplayOutcome, *words: str) -> None:
    """Check for exit code 1 and one line, which holds the words."""
    assert outcome.status == 1
    [line] = outcome.stderr.splitlines()
    assert line.startswith("tickflag: ")
    for word in words:
        assert word in line


class TestFiles:
    """Files that are no recordings, or are damaged."""

    def test_that_is_not_there(self, traders: Path, tmp_path: Path) -> None:
        """The error has the path and the reason; so too in a process of its own, without a traceback."""
        for way in (replay, replay_process):
            outcome = way("--traders", traders, tmp_path / "gone.parquet")
            _assert_refused(outcome, str(tmp_path / "gone.parquet"), "cannot be opened", "No such file")
            assert outcome.stdout == ""

    def test_that_is_something_else(self, traders: Path, tmp_path: Path) -> None:
        """The error says what the file is not."""
        (tmp_path / "notes.txt").write_text("hello\n")
        (tmp_path / "empty.parquet").write_bytes(b"")
        (tmp_path / "other.jsonl").write_text('{"hello": 1}\n')
        _assert_refused(replay("--traders", traders, tmp_path / "notes.txt"), "notes.txt", "not a recording")
        _assert_refused(replay("--traders", traders, tmp_path / "empty.parquet"), "empty.parquet", "the file is empty")
        _assert_refused(replay("--traders", traders, tmp_path / "other.jsonl"), "other.jsonl", "not a recording")

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"qty": None}, ["column qty", "the column is missing", "ts_ns, symbol, price"]),
            ({"ts_ns": None}, ["neither a column ts_ns", "symbol, price, qty"]),
            ({"price": pa.array(["a", "b", "c", "d"])}, ["column price", "must hold numbers", "string"]),
            ({"ts_ns": pa.array([0.5, 1.0, 2.0, 3.0])}, ["column ts_ns", "must hold whole numbers", "double"]),
            ({"symbol": pa.array([1, 2, 3, 4])}, ["column symbol", "must hold text", "int64"]),
        ],
    )
    def test_with_wrong_columns(self, traders: Path, tmp_path: Path, columns: dict[str, Any], words: list[str]) -> None:
        """The error names file and column."""
        path = write_ticks(tmp_path / "wrong.parquet", GOOD, **columns)
        _assert_refused(replay("--traders", traders, path), "wrong.parquet", *words)

    def test_with_an_unknown_interval(self, traders: Path, tmp_path: Path) -> None:
        """The error names file, row, column and value."""
        _klines(tmp_path / "klines.parquet", ["1m", "1m", "1M"])
        _assert_refused(replay("--traders", traders, tmp_path / "klines.parquet"), "row 2", "column interval", "'1M'")

    def test_with_more_intervals_than_a_segment_holds(self, traders: Path, tmp_path: Path) -> None:
        """The error names the setting that takes part in the limit."""
        _klines(tmp_path / "klines.parquet", ["2m", "3m", "10m", "30m", "2h"])
        outcome = replay("--traders", traders, tmp_path / "klines.parquet")
        _assert_refused(outcome, "`segment.intervals`", "1 to 8 intervals are possible, not 9")

    def test_that_is_cut_off(self, traders: Path, tmp_path: Path) -> None:
        """A Parquet file without its end cannot be opened at all."""
        path = tmp_path / "cut.parquet"
        path.write_bytes(TICKS.read_bytes()[:-500])
        _assert_refused(replay("--traders", traders, path), "cut.parquet", "damaged or cut off")

    def test_with_damaged_pages(self, traders: Path, tmp_path: Path) -> None:
        """The error names the row from which on the file cannot be read. Signals of earlier rows are printed; a summary
        is not."""
        rows = [_trade(number // 66_000, f"S{number % 50}", 1.0 + number % 30) for number in range(66_100)]
        table = pyarrow.parquet.read_table(write_ticks(tmp_path / "whole.parquet", rows))
        path = tmp_path / "damaged.parquet"
        pyarrow.parquet.write_table(
            table, path, compression="none", use_dictionary=False, row_group_size=66_000, write_page_checksum=True
        )
        content = bytearray(path.read_bytes())
        content[pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(2).data_page_offset + 200] ^= 0xFF
        path.write_bytes(content)
        outcome = replay("--traders", traders, path)
        _assert_refused(outcome, "damaged.parquet, row 66000", "cannot be read as Parquet from this row on")
        assert outcome.lines
        assert all("summary" not in line for line in outcome.lines)

    def test_a_capture_that_is_cut_off(self, traders: Path, tmp_path: Path) -> None:
        """The error names the line after which the file ends. Signals of earlier lines are printed, but no summary."""
        lines = [_message(second, "ABCD"[second % 4], 5.0 + second % 9) for second in range(2_000)]
        path = tmp_path / "capture.jsonl.gz"
        packed = gzip.compress("".join(lines).encode())
        path.write_bytes(packed[: len(packed) // 2])
        outcome = replay("--traders", traders, path)
        _assert_refused(outcome, "capture.jsonl.gz, line ", "the gzip data has no end")
        assert outcome.lines
        assert all("summary" not in line for line in outcome.lines)

    def test_names_written_with_escapes(self, traders: Path, tmp_path: Path) -> None:
        """JSON can spell a name in several ways. A name that the search ahead does not find is refused; the rest goes
        on."""
        path = tmp_path / "capture.jsonl"
        hidden = _message(2, "C", 13.0).replace('"s":', '"\\u0073":')
        path.write_text(_message(0, "A", 11.0) + _message(1, "Ä/B", 12.0) + hidden + _message(3, "A", 9.0))
        assert "\\u00c4" in path.read_text()
        outcome = replay("--traders", traders, path)
        assert outcome.status == 0
        assert _events(outcome) == [("A", "entered"), ("Ä/B", "entered"), ("A", "left")]
        [line] = outcome.stderr.splitlines()
        assert line.startswith("symbol 'C' refused: all 2 slots are taken")

    def test_a_recording_without_rows(self, traders: Path, tmp_path: Path) -> None:
        """An empty recording is a recording: nothing happens in it."""
        table = pyarrow.parquet.read_table(write_ticks(tmp_path / "good.parquet", GOOD))
        pyarrow.parquet.write_table(table.slice(0, 0), tmp_path / "none.parquet")
        outcome = replay("--traders", traders, tmp_path / "none.parquet")
        assert (outcome.status, outcome.stderr, outcome.signals) == (0, "", [])
        assert (outcome.summary["ticks"], outcome.summary["cycles"], outcome.summary["efficiency"]) == (0, 0, 0.0)


def _klines(path: Path, intervals: list[str]) -> None:
    """A candle of each interval, at midnight."""
    n = len(intervals)
    columns: dict[str, list[Any]] = {
        "open_time_ms": [1_709_510_400_000] * n,
        "symbol": ["A"] * n,
        "interval": intervals,
    }
    columns |= {name: [5.0] * n for name in ("open", "high", "low", "close", "volume")}
    pyarrow.parquet.write_table(pa.table(columns), path)


def _message(second: int, symbol: str, price: float) -> str:
    trade = {"e": "trade", "E": START_MS + second * 1_000, "s": symbol, "p": str(price), "q": "1"}
    return json.dumps({"recv_ns": START_NS + second * NS_PER_S, "msg": trade}, separators=(",", ":")) + "\n"


class TestRows:
    """Rows at fault are named and counted, and leave no trace in the market."""

    @pytest.mark.parametrize(
        ("row", "words"),
        [
            (_trade(4, "A", -20.0), ["row 4", "column price", "-20.0 is not a positive finite number"]),
            (_trade(4, "A", 0.0), ["row 4", "column price"]),
            (_trade(4, "A", float("nan")), ["row 4", "column price", "is NaN; a value that is absent must be null"]),
            (_trade(4, "A", float("inf")), ["row 4", "column price"]),
            (_trade(4, "A", 20.0, -1.0), ["row 4", "column qty"]),
            (_trade(1, "A", 20.0), ["row 4", "column ts_ns", "is before the time of an earlier row"]),
            (_trade(4, "", 20.0), ["row 4", "column symbol", "is empty"]),
            (_trade(4, "x" * 48, 20.0), ["row 4", "column symbol", "48 bytes"]),
            ((None, "A", 20.0, 1.0, None, None), ["row 4", "column ts_ns", "is missing"]),
        ],
    )
    def test_a_row_is_refused(self, traders: Path, tmp_path: Path, row: tuple[Any, ...], words: list[str]) -> None:
        """The error names file, row, column and value; the rows around it count."""
        path = write_ticks(tmp_path / "ticks.parquet", [*GOOD, row, _trade(5, "B", 30.0)])
        outcome = replay("--traders", traders, path)
        line, last = outcome.stderr.splitlines()
        for word in ("row refused: ", "ticks.parquet, ", *words):
            assert word in line
        assert last == f"{path}: 1 row refused, the first: {line.removeprefix(f'row refused: {path}, ')}"
        assert outcome.status == 0
        assert (outcome.summary["ticks"], outcome.summary["rejected"]) == (5, 1)
        assert _events(outcome) == [*GOOD_EVENTS, ("B", "entered")]

    def test_a_line_is_refused(self, traders: Path, tmp_path: Path) -> None:
        """Of a capture, the error names file, line and field."""
        path = tmp_path / "capture.jsonl"
        broken = [_message(1, "A", -20.0), "{not json}\n", _message(0, "A", 20.0)]
        path.write_text("".join([_message(0, "A", 11.0), *broken, _message(2, "B", 12.0)]))
        lines = path.read_text().splitlines(keepends=True)
        lines[3] = lines[3].replace(f'"recv_ns":{START_NS}', f'"recv_ns":{START_NS - NS_PER_S}')
        path.write_text("".join(lines))
        outcome = replay("--traders", traders, path)
        assert (outcome.status, outcome.summary["rejected"]) == (0, 3)
        for words in ("line 2, field p", "line 3: the line is not JSON", "line 4, field recv_ns"):
            assert words in outcome.stderr
        assert _events(outcome) == [("A", "entered"), ("B", "entered")]
        assert f"{path}: 3 lines refused, the first: line 2, field p" in outcome.stderr

    def test_candles_of_rounded_prices(self, traders: Path, tmp_path: Path) -> None:
        """Those that were widened are counted, and count; the rest is refused."""
        path = tmp_path / "k.parquet"
        _klines(path, ["1m", "1m", "1m"])
        table = pyarrow.parquet.read_table(path).drop_columns(["open_time_ms", "close"])
        start_ms = 1_709_510_400_000
        table = table.append_column("open_time_ms", [[start_ms, start_ms + 60_000, start_ms + 120_000]])
        pyarrow.parquet.write_table(table.append_column("close", [[5.0, 5.000_004, 5.1]]), path)
        outcome = replay("--traders", traders, path)
        assert (outcome.status, outcome.summary["ticks"], outcome.summary["rejected"]) == (0, 2, 1)
        assert outcome.stderr.splitlines() == [
            f"row refused: {path}, row 2, column close: 5.1 is above the high",
            f"{path}: 1 row refused, the first: row 2, column close: 5.1 is above the high",
            f"{path}: 1 candle widened, the first: row 1, column high: 5.0 becomes 5.000004, as open or close lie "
            "beyond it by rounding",
        ]


class TestTraderFaults:
    """Traders that cannot run, or fail while they do."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("import there_is_no_such_module", ["broken.py: does not import", "ModuleNotFoundError"]),
            ("raise SystemExit(5)", ["broken.py: does not import", "SystemExit: 5"]),
            ("x = 1", ["broken.py: no hook `trader`"]),
        ],
    )
    def test_a_file_that_cannot_be_loaded(self, traders: Path, good: Path, text: str, words: list[str]) -> None:
        """The trader is skipped with its reason; the others run, and the exit code tells of it."""
        (traders / "broken.py").write_text(text)
        outcome = replay("--traders", traders, good)
        assert (outcome.status, _events(outcome)) == (1, GOOD_EVENTS)
        for word in ("trader skipped: ", *words):
            assert word in outcome.stderr
        assert set(outcome.summary["matches"]) == {"above"}
        assert list(outcome.summary["refused"]) == ["broken.py"]
        assert words[-1] in outcome.summary["refused"]["broken.py"]
        told = run("replay", "--traders", traders, good).stdout.splitlines()[-1]
        assert told.startswith("broken.py: did not run: ")
        assert words[-1].removeprefix("broken.py: ") in told

    def test_a_file_that_nobody_asked_for(self, traders: Path, good: Path) -> None:
        """Where traders are asked for by name, another file that does not load is no failure."""
        (traders / "broken.py").write_text("x = 1")
        outcome = replay("--traders", traders, "--only", "above", good)
        assert (outcome.status, outcome.summary["refused"]) == (0, {})

    def test_two_files_of_one_name(self, traders: Path, good: Path) -> None:
        """The file that comes first by name has it."""
        write_trader(traders, "zero", _dedented(ABOVE).replace("10.0", "0.0"), name="above")
        outcome = replay("--traders", traders, good)
        assert (outcome.status, _events(outcome)) == (0, GOOD_EVENTS)
        assert outcome.stderr == "trader skipped: zero.py: the name 'above' is already that of above.py\n"

    @pytest.mark.parametrize(
        ("declaration", "words"),
        [
            ({"channel": "7m"}, "this feed has no channel '7m'; it has ticker, 1m, 5m, 15m, 1h"),
            ({"candles": "7m", "look_back": 3}, "this feed keeps no '7m' candles; it keeps 1m, 5m, 15m, 1h"),
            ({"candles": "1m", "look_back": 101}, "look-back must be 1 to 100, not 101"),
        ],
    )
    def test_one_that_asks_for_what_is_not_kept(
        self, traders: Path, good: Path, declaration: dict[str, Any], words: str
    ) -> None:
        """The trader does not run, with its reason; the others do, and the exit code tells of it."""
        write_trader(traders, "greedy", _dedented(ABOVE), **declaration)
        outcome = replay("--traders", traders, good)
        assert (outcome.status, _events(outcome)) == (1, GOOD_EVENTS)
        assert outcome.stderr == f"trader 'greedy' does not run: {words}\n"
        assert outcome.summary["refused"] == {"greedy": words}
        assert run("replay", "--traders", traders, good).stdout.splitlines()[-1] == f"greedy: did not run: {words}"

    def test_none_that_runs(self, traders: Path, good: Path) -> None:
        """A recording is not played for nobody."""
        write_trader(traders, "greedy", _dedented(ABOVE), channel="7m")
        for arguments in ([], ["--against", "full"]):
            outcome = run("replay", *arguments, "--traders", traders, "--only", "greedy", good)
            assert (outcome.status, outcome.stdout) == (1, "")
            [reason, end] = outcome.stderr.splitlines()
            assert reason.startswith("trader 'greedy' does not run: this feed has no channel '7m'")
            assert end == f"tickflag: no trader to {'compare' if arguments else 'replay with'}"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("raise ValueError('always')", "raised ValueError: always"),
            ("raise SystemExit(3)", "raised SystemExit: 3"),
            ("return np.ones(len(market) + 1)", "gave the shape"),
            ("return 'yes'", "gave a str"),
            ("return np.full(len(market), np.inf)", "gave an infinite score"),
        ],
    )
    def test_one_that_always_fails(self, traders: Path, good: Path, body: str, words: str) -> None:
        """A fault that stays the same is told once; the signals of the other traders are those without the failing
        one."""
        write_trader(traders, "bad", f"@hookimpl\ndef evaluate(market):\n    {body}\n")
        outcome = replay("--traders", traders, good)
        assert (outcome.status, _events(outcome)) == (1, GOOD_EVENTS)
        assert outcome.summary["failed"] == {"bad": outcome.summary["cycles"]}
        lines = outcome.stderr.splitlines()
        assert all(line.startswith("trader 'bad': hook `evaluate` ") and words in line for line in lines)
        assert len(lines) == (len(set(lines)))
        assert len(lines) <= 3
        assert "bad" not in outcome.summary["matches"]

    def test_one_that_fails_now_and_then(self, traders: Path) -> None:
        """In the end the matches are those of a sound trader: the next cycle covers what failed."""
        shutil.copy(ROOT / "plugins" / "spread.py", traders)
        body = """\
            calls = 0

            @hookimpl
            def evaluate_symbol(symbol):
                global calls
                calls += 1
                if calls % 50 == 0 and calls < 1_500:
                    raise RuntimeError("the 50th")
                spread = (symbol.ask - symbol.bid) / (symbol.ask + symbol.bid) * 2.0
                return spread if spread >= 0.002 else None
            """
        write_trader(traders, "flaky", "\n".join(line[12:] for line in body.splitlines()) + "\n", score_step=0.0005)
        outcome = replay("--traders", traders, TICKS)
        assert outcome.status == 1
        assert set(outcome.summary["failed"]) == {"flaky"}
        assert 5 < outcome.summary["failed"]["flaky"] < outcome.summary["cycles"]
        assert (
            outcome.stderr.splitlines().count(
                "trader 'flaky': hook `evaluate_symbol` raised RuntimeError: the 50th (line 16)"
            )
            > 5
        )
        assert outcome.summary["matches"]["flaky"] == outcome.summary["matches"]["spread"]
        flaky = [s for s in outcome.signals if s["trader"] == "flaky"]
        assert 0 < len(flaky) <= len([s for s in outcome.signals if s["trader"] == "spread"])

    def test_what_people_see_of_one_that_fails(self, traders: Path, good: Path) -> None:
        """One line has the count and the first fault, after the others' results; a replay without signals begins with a
        table."""
        raising = "@hookimpl\ndef evaluate(market):\n    raise ValueError(f'{len(market)} symbols\\nin two lines')\n"
        bad = write_trader(traders, "bad", raising)
        both, alone = (run("replay", "--traders", place, good) for place in (traders, bad))
        cycles = replay("--traders", traders / "above.py", good).summary["cycles"]
        for outcome in (both, alone):
            assert outcome.status == 1
            last = outcome.stdout.splitlines()[-1]
            assert last.startswith(
                f"trader 'bad' failed in {cycles} cycles, first: hook `evaluate` raised ValueError: "
            )
        assert "above                1 matches  C 12" in both.stdout.splitlines()
        assert alone.stdout.startswith("trader ")
        assert run("replay", "--traders", traders / "above.py", good).stdout.count("failed") == 0

    def test_combinations_of_a_sweep_that_fail(self, tmp_path: Path, good: Path) -> None:
        """Failing combinations are named after the rows, and counted in their lines; the others are not."""
        source = """\
            from pydantic import BaseModel

            class Settings(BaseModel):
                limit: int = 10

            @hookimpl
            def settings():
                return Settings

            @hookimpl
            def evaluate(market, settings):
                if settings.limit > 10:
                    raise ValueError("no")
                return market.last > settings.limit
            """
        path = write_trader(tmp_path, "picky", "\n".join(line[12:] for line in source.splitlines()) + "\n")
        arguments = ("--traders", path, "--sweep", "picky.limit=10,11", good)
        found, shown = replay(*arguments), run("replay", *arguments)
        assert (found.status, shown.status) == (1, 1)
        sound, failing = (line["combination"]["failed"] for line in found.lines)
        assert sound == 0 < failing
        assert shown.stdout.splitlines()[-1] == (
            f"picky limit=11 failed in {failing} cycles, first: trader 'picky': "
            "hook `evaluate` raised ValueError: no (line 21)"
        )

    def test_what_a_trader_prints(self, traders: Path, good: Path) -> None:
        """A trader prints to standard error: what we print stays JSON."""
        write_trader(traders, "talks", "print('loaded')\n" + _dedented(ABOVE).replace("return", "print('hi'); return"))
        outcome = replay_process("--traders", traders, good)
        assert (outcome.status, _events(outcome, "talks")) == (0, GOOD_EVENTS)
        assert outcome.stderr.splitlines() == ["loaded"] + ["hi"] * outcome.summary["cycles"]

    def test_no_trader_at_all(self, good: Path, tmp_path: Path) -> None:
        """Nothing to do is an error, and so is a folder that is missing."""
        (tmp_path / "none").mkdir()
        _assert_refused(replay("--traders", tmp_path / "none", good), "no trader to replay with")
        _assert_refused(replay("--traders", tmp_path / "gone", good), "no such folder or file of traders", "gone")

    def test_a_name_in_place_of_a_path(self, good: Path) -> None:
        """The error says which option expects names; where a path was meant, it does not."""
        _assert_refused(replay("--traders", "rsi", good), "traders: rsi; `--only rsi` takes one trader by name")
        for path in ("gone.py", "gone/rsi"):
            outcome = replay("--traders", path, good)
            _assert_refused(outcome, f"traders: {path}")
            assert "--only" not in outcome.stderr

    def test_a_single_file(self, traders: Path, good: Path) -> None:
        """A single trader file may be named instead of a folder."""
        write_trader(traders, "other", _dedented(ABOVE))
        outcome = replay("--traders", traders / "above.py", good)
        assert set(outcome.summary["matches"]) == {"above"}


@pytest.mark.parametrize("arguments", [[], ["--speed", "fast"], ["--speed", "-1"], ["--speed", "nan"]])
def test_wrong_usage(good: Path, arguments: list[str]) -> None:
    """Exit code 2, and nothing is played."""
    outcome = replay(*arguments, *([good] if arguments else []))
    assert (outcome.status, outcome.stdout) == (2, "")
