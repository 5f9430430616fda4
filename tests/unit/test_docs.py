"""The documents say what the code does: settings, commands, traders, quoted messages, links. Their examples run."""

import ast
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from common.errors import PluginError
from common.layout import TICKER, plan
from common.lifecycle import EXIT_ALREADY_RUNNING, EXIT_FAILED
from common.log import configure
from common.messages import Heartbeat, RosterEntry
from common.runtime import Runtime
from common.settings import PREFIX, load
from common.traderapi import CANDLE_COLUMNS, Candles, Market, Symbol, Trader, hooks
from services.cli.group import tickflag
from services.feed.recordings import open_recording
from services.feed.sources.base import Source, Venue
from services.replay.engine import Replay, Summary
from services.trader.plugin import load_plugin
from tests.support.folders import runtime_folder
from tests.support.markdown import anchors, code, code_blocks, links, plain, section, sections
from tests.support.markets import open_market
from tests.support.reference import ROOT_DEFAULT, all_settings, unit

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md", *sorted(DOCS.rglob("*.md"))]
SECOND = 1_000_000_000


def _page(name: str) -> str:
    return (DOCS / name).read_text()


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are the defaults, whatever is set where the tests run."""
    for setting in all_settings():
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(tmp_path / "none"))


# --- pages


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a page of ours names one that exists, and a title in it."""
    for target in links(path.read_text()):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(linked.read_text()), f"{target}: no such title"


def test_every_page_is_linked() -> None:
    """From the README one comes to every page, by way of the architecture to the decisions."""
    reached = {(page.parent / target.partition("#")[0]).resolve() for page in PAGES[:1] for target in links(page.read_text())}
    reached |= {(DOCS / target.partition("#")[0]).resolve() for target in links(_page("architecture.md"))}
    assert [_name(page) for page in PAGES if page not in reached and page != PAGES[0]] == []


# --- settings


def test_settings_page_lists_every_setting_and_no_other() -> None:
    """Each key stands in the page once, in the order of the code, with default, limits, meaning and variable."""
    rows = [row for part in sections(_page("settings.md")) for row in part.rows]
    assert [plain(row["Key"]) for row in rows] == [setting.name for setting in all_settings()]
    for row, setting in zip(rows, all_settings(), strict=True):
        assert row["Default"].strip("`") == setting.default, setting.name
        assert row["Limits"] == setting.limits, setting.name
        assert row["Meaning"] == setting.meaning, setting.name
        assert plain(row["Environment variable"]) == setting.variable
        if unit(setting.key):
            assert row["Unit"] == unit(setting.key), setting.name


def test_config_files_name_every_setting_and_set_none() -> None:
    """The files parse as they are and set nothing; with their settings uncommented they hold every default once."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "configs").glob("*.toml")):
        text = path.read_text()
        assert not any(tomllib.loads(text).values()), f"{path.name} sets something"
        for block, content in tomllib.loads(re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE)).items():
            entries = {f"{block}.{key}": value for key, value in content.items()} if isinstance(content, dict) else {block: content}
            assert not found.keys() & entries.keys(), f"{path.name} names a setting once more"
            found |= entries
    assert found == {setting.name: json.loads(setting.default) for setting in all_settings()}
    assert found["runtime.root"] == ROOT_DEFAULT


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    """The defaults in the page are those that a program without any configuration gets."""
    values = load().model_dump(mode="json")
    for setting in all_settings():
        value = values[setting.block][setting.key] if setting.block else values[setting.key]
        assert setting.name == "runtime.root" or value == json.loads(setting.default)


# --- commands


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}")


COMMANDS = dict(_commands(tickflag, "tickflag"))


def test_commands_page_has_every_command_and_no_other() -> None:
    """Each command and subcommand has a section named after it."""
    titles = [part.title for part in sections(_page("commands.md")) if part.title.startswith("tickflag")]
    assert sorted(titles) == sorted(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_page_has_every_option_and_no_other(path: str) -> None:
    """A command's section lists its options and names its arguments."""
    part = section(_page("commands.md"), path)
    documented = {text.split()[0] for row in part.rows if "Option" in row for text in code(row["Option"])}
    options = [option for option in COMMANDS[path].params if isinstance(option, click.Option)]
    expected = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    assert documented == expected | ({"-h", "--help"} if path == "tickflag" else set())
    for argument in COMMANDS[path].params:
        if isinstance(argument, click.Argument):
            choices = argument.type.choices if isinstance(argument.type, click.Choice) else [argument.make_metavar(click.Context(COMMANDS[path])).strip("[].")]
            assert all(str(choice) in part.body for choice in choices), f"{path}: {choices}"


def test_commands_page_has_the_exit_codes_and_states() -> None:
    """Exit codes, the states of a trader and the fields of a replay's summary are those of the code."""
    page = _page("commands.md")
    codes = {int(row["Code"]) for row in section(page, "Exit codes").rows}
    assert codes == {0, EXIT_FAILED, click.UsageError.exit_code, EXIT_ALREADY_RUNNING}
    states = {plain(row["State"]) for row in section(page, "tickflag traders").rows if "State" in row}
    known = (Heartbeat.model_fields["state"], RosterEntry.model_fields["state"])
    assert states == {"stale", *(state for field in known for state in get_args(field.annotation))}
    summary = [plain(row["Field"]) for row in section(page, "tickflag replay").rows if "Field" in row]
    assert summary == [field.name for field in fields(Summary)]


def _shell_lines() -> Iterator[Any]:
    for path in PAGES:
        for block in code_blocks(path.read_text(), "sh"):
            for line in block.splitlines():
                if line.startswith("tickflag "):
                    yield pytest.param(line, id=f"{_name(path)}: {line}")


@pytest.mark.parametrize("line", _shell_lines())
def test_command_lines_are_understood(line: str) -> None:
    """Every command line in the documents names a command, with options and arguments that it takes."""
    words = shlex.split(line.partition("|")[0], comments=True)[1:]
    while words[0] in ("--instance", "--config"):
        del words[:2]
    command: click.Command = tickflag
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    command.make_context(command.name, words)


# --- traders

TRADERS = _page("writing-a-trader.md")


def test_every_hook_is_documented() -> None:
    """The table of hooks has each with its arguments, and no other."""
    specs = [value for value in vars(hooks).values() if hasattr(value, f"{hooks.PROJECT}_spec")]
    signatures = [f"{hook.__name__}({', '.join(inspect.signature(hook).parameters)})" for hook in specs]
    rows = [row for row in section(TRADERS, "The contract").rows if "Hook" in row]
    assert [plain(row["Hook"]) for row in rows] == signatures


def test_every_field_of_the_declaration_is_documented() -> None:
    """The table has each field of Trader with its default, in the order of the code."""
    rows = section(TRADERS, "The declaration").rows
    assert [plain(row["Field"]) for row in rows] == list(Trader.model_fields)
    for row, field in zip(rows, Trader.model_fields.values(), strict=True):
        assert field.is_required() == (row["Default"] == "")
        assert field.is_required() or ast.literal_eval(plain(row["Default"])) == field.default


def _public(kind: type) -> set[str]:
    return {name for name in (*vars(kind), *getattr(kind, "__slots__", ())) if not name.startswith("_")}


def test_every_view_is_documented() -> None:
    """What market, symbol and candles show, and the indicators, are all in the tables, and nothing else is."""
    rows = section(TRADERS, "What a trader sees").rows
    markets = {plain(row["Of `market`"]).partition("(")[0] for row in rows if row.get("Of `market`")}
    assert markets == _public(Market)
    symbols = {plain(row["Of `symbol`"]) for row in rows if row.get("Of `symbol`")}
    assert symbols == _public(Symbol) | set(TICKER.names or ()) - {"spare"}
    columns = [plain(row["Column"]) for row in rows if "Column" in row]
    assert columns == list(CANDLE_COLUMNS)
    others = _public(Candles) - set(columns) - {"column", "of"}
    assert all(f"`candles.{name}`" in TRADERS for name in others)
    functions = [plain(row["Function"]) for row in rows if "Function" in row]
    from common.traderapi import indicators

    known = [value for name, value in vars(indicators).items() if inspect.isfunction(value) and not name.startswith("_") and value.__module__ == indicators.__name__]
    assert functions == [f"{function.__name__}({', '.join(inspect.signature(function).parameters)})" for function in known]


# --- examples


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half hours of four symbols: a trade each 15 s, prices in waves, one of them below one."""
    path = tmp_path_factory.mktemp("recording") / "waves.jsonl"
    with path.open("w") as file:
        for step in range(600):
            for number, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT", "DUSTUSDT")):
                wave = 1.0 + 0.1 * abs((step + 40 * number) % 200 - 100) / 100.0
                time_ns = 1_700_049_600 * SECOND + step * 15 * SECOND + number
                price = wave * (0.9 if symbol == "DUSTUSDT" else 100.0)
                message = {"e": "trade", "s": symbol, "p": str(price), "q": "1", "T": time_ns // 1_000_000}
                file.write(json.dumps({"recv_ns": time_ns, "msg": message}) + "\n")
    return path


def _traders(path: Path) -> list[str]:
    return [block for block in code_blocks(path.read_text(), "python") if "@hookimpl" in block]


EXAMPLES = [
    pytest.param(text, id=f"{_name(path)} {number}") for path in PAGES for number, text in enumerate(_traders(path))
]


def _replayed(text: str, folder: Path, recording: Path) -> tuple[list[str], int]:
    """What went wrong with a trader, and how many signals it gave."""
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


@pytest.mark.parametrize("text", EXAMPLES)
def test_example_traders_run(text: str, tmp_path: Path, recording: Path) -> None:
    """Every trader in the documents loads, evaluates without a fault and finds something."""
    faults, signals = _replayed(text, tmp_path, recording)
    assert faults == []
    assert signals > 0


def test_first_trader_takes_twenty_lines() -> None:
    """The README's trader is short."""
    (first,) = _traders(ROOT / "README.md")
    assert len(first.splitlines()) <= 20


def test_example_recording_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick start's program writes a recording of three symbols, an hour long."""
    (program,) = [block for block in code_blocks(_page("quick-start.md"), "python") if "demo.jsonl" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "demo.py", "exec"), {"__name__": "__main__"})
    recording = open_recording(tmp_path / "demo.jsonl")
    assert (len(recording.symbols()), sum(len(chunk) for chunk in recording), recording.rejected) == (3, 10_800, 0)


def test_example_source_ticks() -> None:
    """The architecture's source opens, says when it is due, and gives ticks that the market takes."""
    (program,) = [block for block in code_blocks(_page("architecture.md"), "python") if "(Source)" in block]
    names: dict[str, Any] = {}
    exec(compile(program, "metronome.py", "exec"), names)
    source = names["Metronome"](load())
    assert isinstance(source, Source)
    with runtime_folder() as runtime, open_market(runtime) as market:
        assert list(source.open(Venue(market.slot, (60, 300), SECOND, SECOND, configure("test")))) == []
        assert source.next_ns() == SECOND
        for _ in range(2):
            for batch in source.drain(SECOND, 1_700_049_600 * SECOND):
                market.apply(batch, SECOND)
        assert market.segment.counters()["updates"] == 1
        assert list(market.symbols.names if hasattr(market.symbols, "names") else ["METRONOME"]) == ["METRONOME"]
        del batch


def test_other_programs_compile() -> None:
    """Every Python program in the documents is valid."""
    for path in PAGES:
        for number, block in enumerate(code_blocks(path.read_text(), "python")):
            compile(block, f"{_name(path)} {number}", "exec")


# --- quoted messages

_HEAD = "import numpy as np\nfrom common.traderapi import *\n"
_TRADER = "@hookimpl\ndef trader(): return Trader({})\n"
_EVALUATE = "@hookimpl\ndef evaluate(market): return {}\n"


def _file(answer: str, declaration: str = "name='x'") -> str:
    return _HEAD + _TRADER.format(declaration) + _EVALUATE.format(answer)


NONE = "market.last < 0"
MISTAKES = {
    "does not import: ...": "import nowhere_to_be_found",
    "no hook `trader`: add a function `trader` marked with @hookimpl": _HEAD + "def trader(): return Trader(name='x')",
    "needs one of the hooks `evaluate` and `evaluate_symbol`": _HEAD + _TRADER.format("name='x'"),
    "unknown hook '...'": _file(NONE) + "@hookimpl\ndef evaluat(market): return None\n",
    "Argument(s) {'...'} are declared in the hookimpl but can not be found in the hookspec": _file(NONE).replace("(market)", "(markets)"),
    "hook `trader`: `...`: Extra inputs are not permitted": _file(NONE, "name='x', lookback=3"),
    "`candles` and `look_back` go together": _file(NONE, "name='x', look_back=3"),
    "scope `market` needs the hook `evaluate`": _file(NONE, "name='x', scope='market'").replace("evaluate(market)", "evaluate_symbol(symbol)"),
    "this feed has no channel '...'; it has ...": _file(NONE, "name='x', channel='2m'"),
    "this feed keeps no '...' candles; it keeps ...": _file(NONE, "name='x', candles='2m', look_back=3"),
    "look-back must be 1 to ..., not ...": _file(NONE, "name='x', candles='1m', look_back=101"),
    "gave the shape ...; wanted (...,), one entry a symbol": _file("np.zeros(100, bool)"),
    "gave a ...; wanted a bool or float array, or (mask, scores)": _file("'all'"),
    "gave NaN as the score of a match": _file("(market.last > 0, market.last * np.nan)"),
    "gave an infinite score": _file("market.last * np.inf"),
    "candle column '...' is not declared: add it to ...": _file("market.candles.low[:, 0] > 0", "name='x', candles='1m', look_back=3, columns=('high',)"),
    "no candles declared: set ...": _file("market.candles.low[:, 0] > 0"),
    "assignment destination is read-only": _file("market.last.__setitem__(0, 1.0)"),
}  # fmt: skip
"""Message of the page's common errors -> a trader that makes it. The others need more than one file."""


def _common_errors() -> list[str]:
    return [text for row in section(TRADERS, "Common errors").rows for text in code(row["What it says"])]


def test_every_mistake_is_a_common_error() -> None:
    """The mistakes below are those of the page."""
    assert MISTAKES.keys() <= set(_common_errors())


@pytest.mark.parametrize("message", MISTAKES)
def test_common_errors_are_quoted_as_they_appear(message: str, tmp_path: Path, recording: Path) -> None:
    """Who makes the mistake reads the message that the page explains."""
    faults, _ = _replayed(MISTAKES[message], tmp_path, recording)
    pattern = ".*".join(re.escape(part) for part in message.split("..."))
    assert faults
    assert re.search(pattern, faults[0], re.DOTALL), faults[0]


@cache
def _texts_of_the_code() -> str:
    """All strings of the engine, with a mark where a value is filled in."""
    found = []
    for folder in ("common", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def _quotes() -> Iterator[Any]:
    for part in sections(_page("troubleshooting.md")):
        for row in part.rows:
            for text in code(next(iter(row.values()))):
                yield pytest.param(text, id=text)
    for text in _common_errors():
        if text not in MISTAKES:
            yield pytest.param(text, id=text)


@pytest.mark.parametrize("message", _quotes())
def test_quoted_messages_exist(message: str) -> None:
    """What the troubleshooting page quotes is said somewhere in the code; `...` stands for any value."""
    for part in message.split("..."):
        words = part.strip(" :;,.'`()")
        assert len(words) < 4 or words in _texts_of_the_code(), words


# --- operations


def test_the_table_of_segment_sizes_is_right() -> None:
    """The sizes in the capacity planning are those of the layout, to the tenth of a megabyte."""
    for row in (row for row in section(_page("operations.md"), "Memory").rows if "Segment" in row):
        symbols, intervals, depth = (int(row[name].replace(",", "")) for name in ("Symbols", "Intervals", "Depth"))
        size = plan(symbols, depth, tuple(range(60, 60 * intervals + 1, 60))).total_bytes
        assert row["Segment"] == f"{size / 1e6:.1f} MB"


def test_the_runtime_folder_is_as_drawn() -> None:
    """The files that the operations page names are those of the code."""
    runtime = Runtime(Path("/r"), "i")
    named = [name for row in section(_page("operations.md"), "The runtime folder").rows for name in code(row["File"])]
    assert {runtime.pointer.name, runtime.journal.name, *(f"{role}.lock" for role in ("feed", "collector", "trader"))} <= set(named)
