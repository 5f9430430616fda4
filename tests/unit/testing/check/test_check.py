"""`Check`: every hidden dependence has a trader that has it and is told so; those that have none are not accused."""

from pathlib import Path

import pytest

from common.errors import PluginError
from common.settings import load
from services.testing.check import Check
from services.testing.finding import Finding
from services.testing.template import TEMPLATES, make_trader
from tests.support.pages import ROOT
from tests.support.trader_files import vector, written


def answers(file: Path, seed: int = 1) -> dict[str, Finding]:
    """The findings on what it answers, by check."""
    return {finding.check: finding for finding in Check(load(), file, {}, seed=seed).answers()}


def checked(folder: Path, body: str, declared: str = "") -> dict[str, Finding]:
    return answers(written(folder, body, declared))


def failed(findings: dict[str, Finding]) -> list[str]:
    return [check for check, finding in findings.items() if finding.level == "fail"]


DEPENDENT = {
    "another symbol's price": ("others", vector("market.last > np.nanmedian(market.last)")),
    "how many symbols there are": ("others", vector("(market.last > 1.0) & (len(market) % 2 == 0)")),
    "its place in the arrays": (
        "others",
        vector("np.arange(len(market)) % 2 == 0"),
    ),
    "the age of its row": ("time", vector("market.age_ns < 30_000_000_000")),
    "the hour": ("time", vector("(market.last > 1.0) & (market.time_ns // 3_600_000_000_000 % 2 == 0)")),
    "random numbers": ("repeatable", vector("(market.last > 1.0) & (np.random.random(len(market)) > 0.5)")),
    "a random number, for each symbol": (
        "repeatable",
        "import random\n@hookimpl\ndef evaluate_symbol(symbol):\n    return random.random()\n",
    ),
    "a count of calls": (
        "repeatable",
        "calls = 0\n" + vector("(market.last > 1.0) & (calls % 7 < 3)", "global calls\ncalls += 1"),
    ),
    "the highest price ever seen": (
        "repeatable",
        "seen = {}\n@hookimpl\ndef evaluate_symbol(symbol):\n"
        "    seen[symbol.name] = max(seen.get(symbol.name, 0.0), symbol.last)\n"
        "    return symbol.last >= seen[symbol.name]\n",
    ),
    "the wall clock": (
        "repeatable",
        "import time\n" + vector("(market.last > 1.0) & (int(time.time()) // 60 % 2 == 0)"),
    ),
    "the wall clock by its own name": (
        "repeatable",
        "from datetime import datetime, timezone\n"
        + vector("(market.last > 1.0) & (datetime.now(timezone.utc).hour < 12)"),
    ),
    "the wall clock, finely": (
        "repeatable",
        "from time import time_ns\n" + vector("np.where(market.last > 1.0, float(time_ns() % 1_000_003), np.nan)"),
    ),
}


@pytest.mark.parametrize("what", DEPENDENT)
def test_a_hidden_dependence_is_found(what: str, tmp_path: Path) -> None:
    """It fails in its check and in no other, with the first symbol at which it showed, and with what to do."""
    check, body = DEPENDENT[what]
    findings = checked(tmp_path, body)
    assert failed(findings) == [check]
    assert "in cycle" in findings[check].found
    assert findings[check].do


def test_the_wall_clock_is_told_from_random_numbers(tmp_path: Path) -> None:
    """Both answer otherwise the second time; with the clock held only one of them does."""
    for what, said in {"the wall clock, finely": "wall clock", "random numbers": "the second time"}.items():
        assert said in checked(tmp_path, DEPENDENT[what][1])["repeatable"].found


def test_the_order_of_the_symbols(tmp_path: Path) -> None:
    """The first symbol of the market's table leads: it is the same alone, among others, and the second time."""
    body = "leader = []\n" + vector(
        "np.array([name == leader[0] for name in market.symbols])", "leader.extend(market.symbols[:1])"
    )
    assert failed(checked(tmp_path, body, ', exclude=["OTHER*"]')) == ["order"]


def test_the_time_is_allowed_where_it_is_asked_often(tmp_path: Path) -> None:
    """With `every`, and where the whole market is evaluated at every change."""
    body = vector("market.age_ns < 30_000_000_000")
    for declared in (", every=5.0", ', scope="market"'):
        findings = checked(tmp_path, body, declared)
        assert failed(findings) == []
        assert "depend on the time" in findings["time"].found


def test_references_may_be_looked_at_and_no_others(tmp_path: Path) -> None:
    """The same rule with the symbol that it looks at declared, and with another one."""
    body = vector(
        "market.change_24h > lead.change_24h if lead else np.zeros(len(market), bool)",
        'lead = market.reference("BTCUSDT")',
    )
    declared = ', scope="references", references=["BTCUSDT"]'
    assert failed(checked(tmp_path, body, declared)) == []
    findings = checked(tmp_path, body.replace("lead.change_24h", "np.nanmedian(market.change_24h)"), declared)
    assert failed(findings) == ["others"]


def test_declared_state_is_no_hidden_memory(tmp_path: Path) -> None:
    """The highest price ever, kept where it may be kept."""
    body = vector("market.last >= market.state.top", "market.state.top = np.fmax(market.state.top, market.last)")
    assert failed(checked(tmp_path, body, ', state={"top": 0.0}')) == []


@pytest.mark.parametrize(
    ("answer", "declared"),
    [
        ("market.last > market.candles.close.mean(axis=1)", ""),
        ("market.candles.close[:, -1] > market.candles.close[:, -2]", ", forming=True"),
    ],
)
def test_more_than_closed_candles_is_looked_at(answer: str, declared: str, tmp_path: Path) -> None:
    """The latest price or the forming candle: legal, but between closes nobody asks."""
    declared += ', channel="5m", candles="5m", look_back=3, columns=("close",)'
    findings = checked(tmp_path, vector(answer), declared)
    assert failed(findings) == []
    assert findings["tracking"].level == "warn"
    assert "5m" in findings["tracking"].found


@pytest.mark.parametrize(
    "declared",
    [
        ', channel="5m", candles="5m", look_back=3',
        ', channel="5m", candles="5m", look_back=3, every_close=True',
        ', candles="1h", look_back=3, min_interval=60.0',
        ', candles="1m", look_back=3, every=30.0, watch=["B*", "E*"]',
    ],
)
def test_ways_to_be_woken_are_not_mistaken(declared: str, tmp_path: Path) -> None:
    """Candles, each of them, at a pace or by a timer: the same rule, and nothing to say."""
    rule = vector("market.candles.close[:, -1] > market.candles.close[:, -2]")
    assert {finding.level for finding in checked(tmp_path, rule, declared).values()} == {"ok"}


def test_an_unneeded_scope(tmp_path: Path) -> None:
    """Scope `market` for a rule that looks at each symbol by itself."""
    findings = checked(tmp_path, vector("market.last > market.open_24h"), ', scope="market"')
    assert failed(findings) == []
    assert findings["others"].level == "warn"


@pytest.mark.parametrize(("limit", "said"), [(-1.0, "nothing"), (0.0, "always")])
def test_what_never_changes_proves_little(limit: float, said: str, tmp_path: Path) -> None:
    """A warning, no failure."""
    findings = checked(tmp_path, vector(f"market.last * 0 == {limit}"), ', watch=["ETHUSDT"]')
    assert failed(findings) == []
    assert (findings["sample"].level, said in findings["sample"].found) == ("warn", True)


@pytest.mark.parametrize(
    ("body", "declared", "said"),
    [
        (vector("market.last > 1.0"), ", look_back=3", "go together"),
        (vector("market.last > 1.0"), ', channel="7m"', "no channel '7m'"),
        (vector("market.last > 1.0"), ', channel="often"', "no channel 'often'"),
        (vector("market.last > 1.0"), ', candles="1m", look_back=101', "look-back must be 1 to 100"),
        (vector("market.last[:-1] > 1.0"), "", "gave the shape"),
        (vector("{}['x']"), "", "KeyError: 'x' (line 10)"),
        (vector("market.last > 1.0 if len(market) > 1 else None"), "", "gave"),
        ("import nowhere_to_be_found\n", "", "does not import"),
        ("raise SystemExit(0)\n", "", "SystemExit"),
        (vector("[exit(3)]"), "", "SystemExit"),
    ],
)
def test_what_is_wrong_is_named(body: str, declared: str, said: str, tmp_path: Path) -> None:
    """Faults of the contract and in a call, with the line in the trader's file where there is one; nothing follows."""
    heard: list[PluginError] = []
    *_, last = Check(load(), written(tmp_path, body, declared), {}, on_fault=heard.append).run()
    assert (last.check, last.level) == ("contract", "fail")
    assert said in last.found
    assert len(heard) == 1


SHIPPED = sorted((ROOT / "plugins").glob("*.py"))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_traders_are_not_accused(file: Path, seed: int) -> None:
    """Whatever the sample, in which each of them matches now and then."""
    findings = answers(file, seed)
    assert {finding.level for finding in findings.values()} == {"ok"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_not_accused(template: str, tmp_path: Path) -> None:
    """Nor are the traders that people begin with."""
    file, _ = make_trader("mine", template, tmp_path)
    assert {finding.level for finding in answers(file, seed=3).values()} == {"ok"}


def test_helpers_are_loaded_afresh(tmp_path: Path) -> None:
    """What a helper beside the trader remembers is memory as well."""
    (tmp_path / "_shared_calls.py").write_text("calls = []\n")
    body = "import _shared_calls\n" + vector(
        "(market.last > 1.0) & (len(_shared_calls.calls) % 7 < 3)", "_shared_calls.calls.append(1)"
    )
    assert "later rows" in checked(tmp_path, body)["repeatable"].found
