"""What the documents show runs as it stands: traders, a source, a recording; and quoted messages exist."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.documents.markdown import code, code_blocks, section, sections
from tests.support.documents.pages import DOCS, PAGES, README, ROOT, page, shown
from tests.support.documents.reference import all_settings
from tests.support.markets.markets import open_market
from tests.support.processes.folders import runtime_folder
from tests.support.processes.one_name import path_as_installed
from tickflag.common.errors import PluginError
from tickflag.common.log import configure
from tickflag.common.settings import load
from tickflag.common.units import NS_PER_S
from tickflag.services.cli.group import tickflag
from tickflag.services.feed.recordings import open_recording
from tickflag.services.feed.sources.source import Source, Venue
from tickflag.services.replay.replay import Replay
from tickflag.services.testing.check.check import Check
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

NOON = 1_700_049_600 * NS_PER_S


@pytest.fixture(autouse=True)
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default settings, whatever is set where the tests run."""
    for setting in all_settings():
        monkeypatch.delenv(setting.variable, raising=False)
    folder = tmp_path / "none"
    folder.mkdir()
    monkeypatch.setenv("TICKFLAG_CONFIG", str(folder))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half hours of four symbols: a trade every 15 s, with prices in rising waves, those of one symbol about
    one."""
    path = tmp_path_factory.mktemp("recording") / "waves.jsonl"
    with path.open("w") as file:
        for step in range(600):
            for number, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT", "DUSTUSDT")):
                wave = 1.0 + 0.1 * abs((step + 40 * number) % 200 - 100) / 100.0 + step / 5_000
                time_ns = NOON + step * 15 * NS_PER_S + number
                price = wave * (0.9 if symbol == "DUSTUSDT" else 100.0)
                message = {"e": "trade", "s": symbol, "p": str(price), "q": "1", "T": time_ns // 1_000_000}
                file.write(json.dumps({"recv_ns": time_ns, "msg": message}) + "\n")
    return path


def _replayed(text: str, folder: Path, recording: Path) -> tuple[list[str], int]:
    """The faults of the trader, and its number of signals."""
    file = folder / "example.py"
    file.write_text(text)
    faults: list[str] = []
    try:
        plugin = load_plugin(file)
    except PluginError as error:
        return [str(error)], 0
    with Replay(load(), [open_recording(recording)], [plugin], faults.append) as replay:
        count = sum(1 for _ in replay.run())
    return faults, count


# --- examples


def _traders(path: Path) -> list[str]:
    return [block for block in code_blocks(path.read_text(), "python") if "@hookimpl" in block]


EXAMPLES = [pytest.param(text, id=f"{shown(path)} {n}") for path in PAGES for n, text in enumerate(_traders(path))]


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_traders_run(text: str, tmp_path: Path, recording: Path) -> None:
    """Every trader in the documents loads, evaluates without a fault and finds something."""
    if "import talib" in text:
        pytest.importorskip("talib", reason="TA-Lib is not installed")
    faults, signals = _replayed(text, tmp_path, recording)
    assert faults == []
    assert signals > 0


def test_the_way_from_a_name_to_a_replay(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The trader page's commands for a new trader work as they stand, one after another."""
    (lines,) = [block for block in code_blocks(page("writing-a-trader.md"), "sh") if "new-trader" in block]
    shutil.copy(recording, tmp_path / "recording.parquet")  # the content of a file tells its kind
    monkeypatch.chdir(tmp_path)
    for line in lines.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "tickflag"
        result = CliRunner().invoke(tickflag, arguments)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "plugins" / "test_near_high.py").is_file()


def test_the_example_test_passes(tmp_path: Path) -> None:
    """The trader page's test passes with the trader on that page that it tests, and that trader is sound."""
    (test,) = [block for block in code_blocks(page("writing-a-trader.md"), "python") if "def test_" in block]
    (trader,) = [block for block in _traders(DOCS / "writing-a-trader.md") if 'name="near-high"' in block]
    (tmp_path / "near_high.py").write_text(trader)
    (tmp_path / "test_near_high.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_traders_are_sound(text: str, tmp_path: Path) -> None:
    """`tickflag check` finds no fault with a trader of the documents."""
    if "import talib" in text:
        pytest.importorskip("talib", reason="TA-Lib is not installed")
    (tmp_path / "example.py").write_text(text)
    findings = list(Check(load(), tmp_path / "example.py", {}).answers())
    assert [finding for finding in findings if finding.level == "fail"] == []


def test_the_first_trader_takes_at_most_twenty_lines() -> None:
    """The trader in the README is short."""
    (first,) = _traders(README)
    assert len(first.splitlines()) <= 20


def test_the_example_recording_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick start's program writes a recording of three symbols, an hour long."""
    (program,) = [block for block in code_blocks(page("quick-start.md"), "python") if "demo.jsonl" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "demo.py", "exec"), {})
    recording = open_recording(tmp_path / "demo.jsonl")
    assert (len(recording.symbols()), sum(len(chunk) for chunk in recording), recording.rejected) == (3, 10_800, 0)


def test_the_example_frame_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook page's candles become a recording."""
    (program,) = [block for block in code_blocks(page("notebook.md"), "python") if "save_recording" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "save.py", "exec"), {})
    recording = open_recording(tmp_path / "btc.parquet")
    assert (recording.symbols(), sum(len(chunk) for chunk in recording), recording.rejected) == (("BTCUSDT",), 3, 0)


def test_the_example_source_ticks() -> None:
    """The architecture page's source opens, is due at once, and gives a tick that the market accepts."""
    (program,) = [block for block in code_blocks(page("architecture.md"), "python") if "(Source)" in block]
    names: dict[str, Any] = {}
    exec(compile(program, "metronome.py", "exec"), names)
    source = names["Metronome"](load())
    assert isinstance(source, Source)
    with runtime_folder() as runtime, open_market(runtime) as market:
        assert list(source.open(Venue(market.slot, (60, 300), NS_PER_S, NOON, configure("test")))) == []
        assert source.next_ns() == NS_PER_S
        (batch,) = source.drain(NS_PER_S, NOON)
        market.apply(batch, NS_PER_S)
        assert list(source.drain(NS_PER_S, NOON)) == []
        assert "METRONOME" in market.symbols
        assert market.segment.counters()["updates"] == 1


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_programs_compile(path: Path) -> None:
    """Every Python program in the documents is valid."""
    for number, block in enumerate(code_blocks(path.read_text(), "python")):
        compile(block, f"{shown(path)} {number}", "exec")


# --- quoted messages

_HEAD = "import numpy as np\nfrom tickflag import *\n"
_TRADER = "@hookimpl\ndef trader(): return Trader(name='x'{})\n"
_EVALUATE = "@hookimpl\ndef evaluate(market): return {}\n"
_ONE_BY_ONE = "@hookimpl\ndef evaluate_symbol(symbol): return None\n"


def _file(answer: str = "market.last < 0", declared: str = "") -> str:
    return _HEAD + _TRADER.format(declared) + _EVALUATE.format(answer)


def _error(title: str) -> list[str]:
    """The messages in a table of the trader page."""
    return [text for row in section(page("writing-a-trader.md"), title).rows for text in code(row["What it says"])]


MISTAKES = {
    "does not import: ...": "import nowhere_to_be_found",
    "line ...: `from common.traderapi import ...` is now `from tickflag import ...`": "from common.traderapi import *",
    "no hook `trader`: add a function `trader` marked with @hookimpl": _file().replace("@hookimpl", "", 1),
    "needs one of the hooks `evaluate` and `evaluate_symbol`": _HEAD + _TRADER.format(""),
    "'...' is no hook": _file() + "@hookimpl\ndef evaluat(market): return None\n",
    "has no argument '...'": _file().replace("(market)", "(markets)"),
    "hook `...` takes `settings`, but there is no hook `settings`": _file().replace("(market)", "(market, settings)"),
    "hook `trader`: `...`: there is no such field": _file(declared=", lookback=3"),
    "`candles` and `look_back` go together": _file(declared=", look_back=3"),
    "scope `market` needs the hook `evaluate`": _HEAD + _TRADER.format(", scope='market'") + _ONE_BY_ONE,
    "this feed has no channel '...'; it has ...": _file(declared=", channel='2m'"),
    "this feed keeps no '...' candles; it keeps ...": _file(declared=", candles='2m', look_back=3"),
    "look-back must be 1 to ..., not ...": _file(declared=", candles='1m', look_back=101"),
    "gave the shape ...; wanted (...,), one entry a symbol": _file("np.zeros(100, bool)"),
    "`every_close` is for closed candles: set ...": _file(declared=", every_close=True"),
    "`references` and the scope ... go together": _file(declared=", references=['A']"),
    "the scope ... has neither `state` nor `every_close`": _file(declared=", scope='market', state={'n': 0}"),
    "'...' is no name for a number": _file(declared=", state={'a b': 0}"),
    "version ... is not known here: this tickflag has version ...": _file(declared=", api=2"),
    "gave a ...; wanted a bool or float array, (mask, scores) or (mask, scores, notes)": _file("'all'"),
    "gave a ... whose index is neither symbols nor 0 to ... in order: keep the symbols as its index": _file(
        "market.to_pandas().reset_index()['last'][::-1]"
    ),
    "gave a ... with the label ..., not one of ...": _file("market.to_pandas().rename({'BTCUSDT': 'X'})['last'][::-1]"),
    "gave a ... with several entries for ...": _file(
        "market.to_pandas()['last'].iloc[[*range(len(market)), 0]]",
    ),
    "gave a ... with the columns ...; wanted one column beside the symbols": _file("market.to_pandas() > 0"),
    "gave a polars Series, which does not say whose its entries are: ...": _file("market.to_polars()['last'] > 0"),
    "gave a polars DataFrame without the column ...": _file("market.to_polars()[['last']]"),
    "gave notes by place beside a frame in an order of its own; wanted a dict of symbol and text": _file(
        "(market.to_pandas()['last'][::-1] > 0, market.last, {0: 'first'})", ", scope='market'"
    ),
    "gave a ... as notes; wanted a dict of symbol or place and text": _file("(market.last > 0, market.last, 'high')"),
    "no state: declare it in the Trader, ...": _file("market.state.n"),
    "state '...' is not declared: add it to ...": _file("market.state.m", ", state={'n': 0}"),
    "state '...' is ... as declared, and was set to ...": _file(
        "setattr(market.state, 'n', market.last)", ", state={'n': 0}"
    ),
    "state '...' was set to a ..., of which numpy takes the entries by position and drops the rest: ...": _file(
        "setattr(market.state, 'n', market.to_pandas()['last'])", ", state={'n': 0.0}"
    ),
    "'...' is not declared: add it to ...": _file("market.reference('A')"),
    "feature flag '...' is not declared in the Trader: ...": _file("market.last < market.on('use_ema')"),
    "the feature flag '...' is built in, and no trader's own": _file(declared=", flags={'audit': True}"),
    "gave NaN as the score of a match": _file("(market.last > 0, market.last * np.nan)"),
    "gave an infinite score": _file("market.last * np.inf"),
    "candle column '...' is not declared: add it to ...": _file(
        "market.candles.low", ", candles='1m', look_back=3, columns=('high',)"
    ),
    "no candles declared: set ...": _file("market.candles.low"),
    "a market has no '...'; it has ...": _file("market.price"),
    "a symbol has no ...": _file("market.symbol(0).price"),
    "candles have no ...": _file("market.candles.lo", ", candles='1m', look_back=3"),
    "assignment destination is read-only": _file("market.last.__setitem__(0, 1.0)"),
}
"""Message of the common errors -> a trader that causes it. The missing one needs two files."""


def test_every_mistake_is_a_common_error() -> None:
    """The mistakes above are those on the page."""
    assert MISTAKES.keys() == set(_error("Common errors")) - {"the name '...' is already that of ..."}


@pytest.mark.parametrize("message", MISTAKES)
def test_common_errors_are_quoted_as_they_appear(
    message: str, tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes the mistake reads the message that the page explains."""
    monkeypatch.setattr(sys, "path", path_as_installed())
    faults, _ = _replayed(MISTAKES[message], tmp_path, recording)
    assert faults
    assert re.search(".*".join(re.escape(part) for part in message.split("...")), faults[0], re.DOTALL), faults[0]


@cache
def _said() -> str:
    """All texts in the engine's code."""
    files = [path for folder in ("common", "services") for path in (ROOT / folder).rglob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    return "\n".join(filter(None, map(_text, nodes)))


def _text(node: ast.AST) -> str:
    """The text of a node of a program, with a mark for each inserted value; empty for what is no text."""
    match node:
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "\0" for part in parts)
        case ast.Constant(value=str(text)):
            return text
    return ""


def _quotes() -> Iterator[str]:
    """The first cell of every row."""
    for part in sections(page("troubleshooting.md")):
        for row in part.rows:
            yield from code(next(iter(row.values())))
    yield from set(_error("Common errors")) - MISTAKES.keys()


@pytest.mark.parametrize("message", sorted(set(_quotes())))
def test_quoted_messages_exist(message: str) -> None:
    """The code says somewhere what the troubleshooting page quotes; `...` stands for any value."""
    for part in message.split("..."):
        words = part.strip(" :;,.'`()")
        assert len(words) < 4 or words in _said(), words
