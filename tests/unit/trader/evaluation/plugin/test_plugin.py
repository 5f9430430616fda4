"""The contract of a trader file: what is refused when it is loaded, and with which message."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tickflag.common.errors import PluginError
from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

Write = Callable[[str], Path]

GOOD = """
    from tickflag import Trader, hookimpl

    @hookimpl
    def trader():
        return Trader(name="good")

    @hookimpl
    def evaluate(market):
        return market.last > 1.0
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the file `mine.py`."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def _refusal(path: Path) -> str:
    with pytest.raises(PluginError) as raised:
        load_plugin(path)
    return str(raised.value)


def test_a_good_file(write: Write) -> None:
    """A file with a name and one evaluating hook loads; the plugin tells whether the hook gets arrays or single
    symbols."""
    plugin = load_plugin(write(GOOD))
    assert (plugin.trader.name, plugin.vectorised) == ("good", True)
    single = GOOD.replace("evaluate(market)", "evaluate_symbol(symbol)").replace("market.last", "symbol.last")
    assert not load_plugin(write(single)).vectorised


def test_two_files_of_one_name_in_different_folders_are_two_modules(tmp_path: Path) -> None:
    """A loaded trader keeps its own code when a file of the same name is loaded from elsewhere."""
    plugins = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mine.py").write_text(textwrap.dedent(GOOD.replace('"good"', f'"{name}"')))
        plugins.append(load_plugin(folder / "mine.py"))
    assert [plugin.trader.name for plugin in plugins] == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import there_is_no_such_module", ["does not import", "ModuleNotFoundError", "there_is_no_such_module"]),
        ("def trader(:\n    pass", ["does not import", "SyntaxError"]),
        ("raise SystemExit(3)", ["does not import", "SystemExit: 3"]),
        ("1 / 0", ["does not import", "ZeroDivisionError"]),
        ("", ["no hook `trader`", "@hookimpl"]),
        (GOOD.replace("@hookimpl\n    def trader", "def trader"), ["no hook `trader`"]),
        (GOOD.replace("@hookimpl\n    def evaluate", "def evaluate"), ["`evaluate` and `evaluate_symbol`"]),
        (GOOD + "\n    @hookimpl\n    def evaluate_symbol(symbol):\n        return True\n", ["needs one of the hooks"]),
        (GOOD.replace("def evaluate(", "def evalute("), ["evalute"]),
        (GOOD.replace("evaluate(market)", "evaluate(prices)"), ["evaluate", "prices"]),
    ],
    ids=[
        "import",
        "syntax",
        "exit",
        "raises",
        "empty",
        "no-trader",
        "no-rule",
        "two-rules",
        "unknown-hook",
        "argument",
    ],
)
def test_a_file_that_is_no_trader(write: Write, text: str, words: list[str]) -> None:
    """The error names the file and the fault: what its import raised, or the hook."""
    message = _refusal(write(text))
    assert message.startswith("mine.py: ")
    for word in words:
        assert word in message


def test_a_file_that_is_not_there_or_not_python(tmp_path: Path) -> None:
    """Both are refused by name."""
    assert _refusal(tmp_path / "gone.py").startswith("gone.py: does not import: FileNotFoundError")
    (tmp_path / "notes.txt").write_text("hello")
    assert _refusal(tmp_path / "notes.txt") == "notes.txt: not a Python file"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("Trader()", ["`name`", "required"]),
        ('Trader(name="With Space")', ["`name`"]),
        ('Trader(name="")', ["`name`"]),
        ('Trader(name="a", watch="*")', ["`watch`"]),
        ('Trader(name="a", look_back=5)', ["`candles` and `look_back` go together"]),
        ('Trader(name="a", candles="5m")', ["`candles` and `look_back` go together"]),
        ('Trader(name="a", candles="5m", look_back=5, columns=("close", "vwap"))', ["`columns.1`"]),
        ('Trader(name="a", candles="5m", look_back=5, columns=())', ["names no candle column"]),
        ('Trader(name="a", look_back=-1)', ["`look_back`"]),
        ('Trader(name="a", score_step=float("nan"))', ["`score_step`"]),
        ('Trader(name="a", colour="red")', ["`colour`"]),
        ('Trader(name="a", scope="galaxy")', ["`scope`"]),
        ("None", ["gave a NoneType, not a Trader"]),
        ('{"name": "a"}', ["gave a dict, not a Trader"]),
        ("1 / 0", ["raised ZeroDivisionError"]),
        ("exit(4)", ["raised SystemExit: 4"]),
    ],
)
def test_a_wrong_declaration(write: Write, declared: str, words: list[str]) -> None:
    """The error names the file, the hook `trader` and the field at fault."""
    message = _refusal(write(GOOD.replace('Trader(name="good")', declared)))
    assert message.startswith("mine.py: hook `trader`")
    for word in words:
        assert word in message


def test_a_ranking_needs_the_whole_market(write: Write) -> None:
    """Scope `market` is refused with a rule for single symbols."""
    text = GOOD.replace('name="good"', 'name="good", scope="market"').replace("evaluate(market)", "evaluate_symbol()")
    assert _refusal(write(text)) == "mine.py: scope `market` needs the hook `evaluate`"


def test_the_argument_may_be_left_out(write: Write) -> None:
    """A hook that does not need its argument loads without it."""
    assert load_plugin(write(GOOD.replace("evaluate(market)", "evaluate()"))).vectorised


def test_a_fault_has_its_line(tmp_path: Path) -> None:
    """The line is that of the last frame in the trader's file or in a helper beside it, whatever they call from
    there."""
    (tmp_path / "_deep.py").write_text("import json\n\ndef deep():\n    json.loads('{')\n")
    rules = {"own": "    return 1 / 0", "library": "    import json\n    json.loads('{')", "helper": "    _deep.deep()"}
    found = {}
    for name, body in rules.items():
        path = tmp_path / f"{name}.py"
        head = "import _deep\n" + textwrap.dedent(GOOD).replace('"good"', f'"{name}"')
        path.write_text(head.replace("    return market.last > 1.0", body))
        plugin = load_plugin(path)
        with pytest.raises(PluginError) as raised:
            plugin._called("evaluate", plugin._evaluate, None)
        found[name] = str(raised.value).rpartition(" (")[2]
    assert found == {"own": "line 11)", "library": "line 12)", "helper": "_deep.py line 4)"}


@pytest.mark.parametrize(
    ("before", "after"), [("return Trader", "1 / 0; return Trader"), ("@hookimpl", "1 / 0\n\n@hookimpl")]
)
def test_a_fault_at_the_start_has_its_line(write: Write, before: str, after: str) -> None:
    """A fault of a hook or of the import has its line."""
    text = textwrap.dedent(GOOD).replace(before, after, 1)
    line = text[: text.index("1 / 0")].count("\n") + 1
    assert _refusal(write(text)).endswith(f"ZeroDivisionError: division by zero (line {line})")
