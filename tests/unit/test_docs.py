"""The documents say what the code does: settings, commands, what a trader sees, sizes; and their links hold."""

import ast
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from tests.support.documents.markdown import anchors, code, code_blocks, links, plain, section, sections
from tests.support.documents.pages import PAGES, README, ROOT, page, shown
from tests.support.documents.reference import INSTANCE, ROOT_DEFAULT, all_settings, unit
from tickflag import CANDLE_COLUMNS, Candles, Live, Market, Symbol, Trader, save_recording
from tickflag.common.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED
from tickflag.common.flags import BUILT_IN, Flag, Rule
from tickflag.common.runtime import JOURNAL, Runtime
from tickflag.common.segment.layout import TICKER, plan
from tickflag.common.settings import NOT_SETTINGS
from tickflag.common.traderapi import hooks, indicators
from tickflag.common.wire.messages import Heartbeat, RosterEntry
from tickflag.services.cli.group import tickflag
from tickflag.services.replay.replay import Summary
from tickflag.services.testing.check.cost import TraderCost
from tickflag.services.testing.market import ManualMarket
from tickflag.services.testing.trader import Step

FLAG_COLUMNS = ("Flag", "Goes by", "Default", "Meaning")

# --- links


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to a page of ours names an existing page, and an existing title in it."""
    for target in links(path.read_text()):
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert target.startswith("http") or linked.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(linked.read_text()), f"{target}: no such title"


def test_every_page_is_linked() -> None:
    """Every page can be reached from the README, by way of the architecture page to the decisions."""
    from_pages = [README, ROOT / "docs" / "architecture.md"]
    targets = [(one, target.partition("#")[0]) for one in from_pages for target in links(one.read_text())]
    reached = {(one.parent / target).resolve() for one, target in targets}
    assert [shown(one) for one in PAGES if one not in reached and one != README] == []


# --- settings


def test_the_settings_page_lists_every_setting_and_no_other() -> None:
    """Each key is on the page once, in the order of the code, with default, limits, meaning and variable."""
    rows = [row for part in sections(page("settings.md")) for row in part.rows]
    assert [plain(row["Key"]) for row in rows] == [setting.name for setting in all_settings()]
    for row, setting in zip(rows, all_settings(), strict=True):
        assert row["Default"].strip("`") == setting.default, setting.name
        assert row["Limits"] == setting.limits, setting.name
        assert row["Meaning"] == setting.meaning, setting.name
        assert plain(row["Environment variable"]) == setting.variable
        assert row["Unit"] == unit(setting.key) or not unit(setting.key), setting.name


def test_variables_that_are_no_settings_are_named() -> None:
    """The page names them too."""
    assert all(f"`{name}`" in page("settings.md") for name in NOT_SETTINGS)


def test_the_config_files_name_every_setting_and_set_none() -> None:
    """The files parse as they are and set nothing; with their settings uncommented they hold every default once."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "configs").glob("*.toml")):
        text = path.read_text()
        assert not any(tomllib.loads(text).values()), f"{path.name} sets something"
        for block, content in tomllib.loads(re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE)).items():
            tree = {f"{block}.{key}": value for key, value in content.items()} if isinstance(content, dict) else None
            tree = tree or None  # `flags = {}` is a value
            entries = {block: content} if tree is None else tree
            assert not found.keys() & entries.keys(), f"{path.name} names a setting once more"
            found |= entries
    named = [setting for setting in all_settings() if setting.block != INSTANCE]
    assert found == {setting.name: json.loads(setting.default) for setting in named}
    assert found["runtime.root"] == ROOT_DEFAULT


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


def test_the_commands_page_has_every_command_and_no_other() -> None:
    """Each command and subcommand has a section with its name."""
    titles = [part.title for part in sections(page("commands.md")) if part.title.startswith("tickflag")]
    assert sorted(titles) == sorted(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_commands_page_has_every_option_and_no_other(path: str) -> None:
    """A command's section lists its options, and names its arguments or the words to choose from."""
    part = section(page("commands.md"), path)
    documented = {text.split()[0] for row in part.rows if "Option" in row for text in code(row["Option"])}
    expected = {"-h", "--help"} if path == "tickflag" else set()
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            expected |= {*parameter.opts, *parameter.secondary_opts}
        elif isinstance(parameter.type, click.Choice):
            assert all(f"`{word}`" in part.body or f" {word}`" in part.body for word in parameter.type.choices)
        else:
            assert str(parameter.name).upper() in part.body
    assert documented == expected


def test_the_commands_page_has_exit_codes_states_and_summary() -> None:
    """Exit codes, the states of a trader and the fields of a replay's summary are those of the code."""
    text = page("commands.md")
    codes = {int(row["Code"]) for row in section(text, "Exit codes").rows}
    assert codes == {0, EXIT_FAILED, click.UsageError.exit_code, EXIT_ALREADY_RUNNING}
    states = {plain(row["State"]) for row in section(text, "tickflag traders").rows if "State" in row}
    known = (Heartbeat.model_fields["state"], RosterEntry.model_fields["state"])
    assert states == {"stale", *(state for field in known for state in get_args(field.annotation))}
    summary = [plain(row["Field"]) for row in section(text, "tickflag replay").rows if "Field" in row]
    assert summary == [field.name for field in fields(Summary)]


COMMAND_LINES = [
    pytest.param(line, id=f"{shown(path)}: {line}")
    for path in PAGES
    for block in code_blocks(path.read_text(), "sh")
    for line in block.splitlines()
    if line.startswith("tickflag ")
]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_lines_are_understood(line: str) -> None:
    """Every command line in the documents names a command, with options and arguments that it has."""
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

TRADERS = page("writing-a-trader.md")


def test_every_hook_is_documented() -> None:
    """The table of hooks has each hook with its arguments, and no other."""
    specs = [value for value in vars(hooks).values() if hasattr(value, f"{hooks.PROJECT}_spec")]
    rows = [row for row in section(TRADERS, "The contract").rows if "Hook" in row]
    assert [plain(row["Hook"]) for row in rows] == [_signature(hook) for hook in specs]


def test_every_field_of_the_declaration_is_documented() -> None:
    """The table has each field of Trader with its default, in the order of the code."""
    rows = section(TRADERS, "The declaration").rows
    assert [plain(row["Field"]) for row in rows] == list(Trader.model_fields)
    for row, field in zip(rows, Trader.model_fields.values(), strict=True):
        assert field.is_required() == (row["Default"] == "")
        assert field.is_required() or ast.literal_eval(plain(row["Default"])) == field.default


def test_every_view_is_documented() -> None:
    """The tables have what market, symbol and candles offer, and nothing else."""
    rows = section(TRADERS, "What a trader sees").rows
    markets = {plain(row["Of `market`"]).partition("(")[0] for row in rows if row.get("Of `market`")}
    assert markets == _public(Market)
    symbols = {plain(row["Of `symbol`"]).partition("(")[0] for row in rows if row.get("Of `symbol`")}
    assert symbols == _public(Symbol) | set(TICKER.names or ()) - {"status", "last_ns"}
    columns = [plain(row["Column"]) for row in rows if "Column" in row]
    assert columns == list(CANDLE_COLUMNS)
    assert all(f"`candles.{name}`" in TRADERS for name in _public(Candles) - {*columns, "column", "of"})


def test_what_traders_are_tested_with_is_documented() -> None:
    """The tables have the fixtures, the checks, and the parts of the cost."""
    rows = section(TRADERS, "Test it").rows
    markets = {plain(row["Of `market`"]).partition("(")[0] for row in rows if "Of `market`" in row}
    assert markets == (_public(ManualMarket) | {"segment", "time_ns"}) - {"close"}
    step = next(row["Gives"] for row in rows if row.get("Of the trader") == "`step()`")
    assert set(code(step)) == {field.name for field in fields(Step)}
    rows = section(page("commands.md"), "tickflag check").rows
    costs = [plain(row["Part of `cost`"]) for row in rows if "Part of `cost`" in row]
    assert costs == [field.name for field in fields(TraderCost)]
    checks = {plain(row["Check"]) for row in section(TRADERS, "Check it").rows}
    source = "".join(path.read_text() for path in (ROOT / "services" / "testing").rglob("*.py"))
    found = re.findall(r'Finding\(\s*"(\w+)",\s*"fail"', source)
    assert checks == set(found)


def test_every_indicator_is_documented() -> None:
    """The table has each indicator with its arguments, in the order of the code."""
    rows = [row for row in section(page("indicators.md"), "Indicators").rows if "Function" in row]
    known = [value for name, value in vars(indicators).items() if inspect.isfunction(value) and name[0] != "_"]
    known = [function for function in known if function.__module__ == indicators.__name__]
    assert [plain(row["Function"]) for row in rows] == [_signature(function) for function in known]


def _public(kind: type) -> set[str]:
    return {name for name in (*vars(kind), *getattr(kind, "__slots__", ())) if not name.startswith("_")}


def _signature(function: Any) -> str:
    return f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"


# --- notebooks


def test_every_call_of_a_notebook_is_documented() -> None:
    """The table has `attach` and all that it gives."""
    rows = [row for row in section(page("notebook.md"), "The running engine").rows if "Call" in row]
    assert {plain(row["Call"]).partition("(")[0] for row in rows} == _public(Live) | {"attach"}


def test_the_arguments_of_saving_are_documented() -> None:
    """The table has each argument, in the order of the code."""
    rows = [row for row in section(page("notebook.md"), "Recordings").rows if "Argument" in row]
    assert [name for row in rows for name in code(row["Argument"])] == list(
        inspect.signature(save_recording).parameters
    )


# --- feature flags


def test_the_feature_flags_are_documented() -> None:
    """One table has the built-in feature flags as in the catalog, another one every field of the file."""
    rows = [row for part in sections(page("feature-flags.md")) for row in part.rows]
    documented = [tuple(plain(row[name]) for name in FLAG_COLUMNS) for row in rows if "Flag" in row]
    assert documented == [
        (name, "symbol" if known.by_symbol else "trader", "on" if known.default else "off", known.meaning)
        for name, known in BUILT_IN.items()
    ]
    fields = [plain(row["Field of a flag"]) for row in rows if "Field of a flag" in row]
    assert fields == list(Flag.model_fields)
    keys = [plain(row["Key"]) for row in section(page("wire.md"), "A rule in features").rows]
    assert keys == list(Rule.model_fields)


# --- operations


def test_the_table_of_segment_sizes_is_right() -> None:
    """The sizes in the capacity planning are those of the layout, to the tenth of a megabyte."""
    for row in (row for row in section(page("operations.md"), "Memory").rows if "Segment" in row):
        symbols, intervals, depth = (int(row[name].replace(",", "")) for name in ("Symbols", "Intervals", "Depth"))
        size = plan(symbols, depth, tuple(range(60, 60 * intervals + 1, 60))).total_bytes
        assert row["Segment"] == f"{size / 1e6:.1f} MB"


def test_the_runtime_folder_is_as_described() -> None:
    """The files that the operations page names are those of the code."""
    runtime = Runtime(Path("/r"), "i")
    named = [name for row in section(page("operations.md"), "The runtime folder").rows for name in code(row["File"])]
    locks = {runtime.lock_path(role).name for role in ("feed", "collector", "trader")}
    assert {runtime.pointer.name, JOURNAL, *locks} <= set(named)
