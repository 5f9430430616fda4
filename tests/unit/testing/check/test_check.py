"""`Check`: each hidden dependence is found in a trader that has it; traders without any are not accused."""

from pathlib import Path

import pytest

from tests.support.documents.pages import ROOT
from tests.support.markets.trader_files import vector, written
from tickflag.common.errors import PluginError
from tickflag.common.settings import load
from tickflag.services.testing.check.check import Check
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.template import TEMPLATES, make_trader


def answers(file: Path, seed: int = 1) -> dict[str, Finding]:
    """The findings on the trader's answers, by check."""
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
    """The trader fails in the right check and in no other, with the first symbol that showed it and with what to do."""
    check, body = DEPENDENT[what]
    findings = checked(tmp_path, body)
    assert failed(findings) == [check]
    assert "in cycle" in findings[check].found
    assert findings[check].do


def test_the_wall_clock_is_told_from_random_numbers(tmp_path: Path) -> None:
    """Both give other answers the second time; with the clock held still, only random numbers do."""
    for what, said in {"the wall clock, finely": "wall clock", "random numbers": "the second time"}.items():
        assert said in checked(tmp_path, DEPENDENT[what][1])["repeatable"].found


def test_the_order_of_the_symbols(tmp_path: Path) -> None:
    """The first symbol of the market's table leads: it is the same alone, among others, and the second time."""
    body = "leader = []\n" + vector(
        "np.array([name == leader[0] for name in market.symbols])", "leader.extend(market.symbols[:1])"
    )
    assert failed(checked(tmp_path, body, ', exclude=["OTHER*"]')) == ["order"]


SORTED = "frame = market.to_pandas().sort_values('last')"


@pytest.mark.parametrize(
    ("body", "declared", "said"),
    [
        (vector("frame.reset_index()['last'] > 1.0", SORTED), ', scope="market"', "order"),
        (vector("(frame['last'] > 1.0).to_numpy()", SORTED), ', scope="market"', "order"),
        (vector("frame['last'].array > 1.0", SORTED), "", "others"),
    ],
)
def test_an_answer_taken_by_position_from_a_sorted_frame(body: str, declared: str, said: str, tmp_path: Path) -> None:
    """What the frame was called is lost, so the matches go to other symbols: the check says where they come from."""
    finding = checked(tmp_path, body, declared)[said]
    assert finding.level != "ok"
    assert "a sorted data frame keeps the symbols as its index" in finding.do


def test_an_answer_that_keeps_its_symbols(tmp_path: Path) -> None:
    """The order of a frame does not matter, as it is taken by its index; what cannot be told is named."""
    assert failed(checked(tmp_path, vector("frame['last'] > 1.0", SORTED))) == []
    body = vector("market.to_polars().sort('last')['last'] > 1.0")
    *_, last = Check(load(), written(tmp_path, body), {}).run()
    assert (last.check, last.level, "polars Series" in last.found) == ("contract", "fail", True)


def test_the_time_is_allowed_where_it_is_asked_often(tmp_path: Path) -> None:
    """So it is with `every`, and where the whole market is evaluated at every change."""
    body = vector("market.age_ns < 30_000_000_000")
    for declared in (", every=5.0", ', scope="market"'):
        findings = checked(tmp_path, body, declared)
        assert failed(findings) == []
        assert "depend on the time" in findings["time"].found


def test_references_may_be_looked_at_and_no_others(tmp_path: Path) -> None:
    """The same rule reads the reference that it declares, and then other symbols."""
    body = vector(
        "market.change_24h > lead.change_24h if lead else np.zeros(len(market), bool)",
        'lead = market.reference("BTCUSDT")',
    )
    declared = ', scope="references", references=["BTCUSDT"]'
    assert failed(checked(tmp_path, body, declared)) == []
    findings = checked(tmp_path, body.replace("lead.change_24h", "np.nanmedian(market.change_24h)"), declared)
    assert failed(findings) == ["others"]


def test_declared_state_is_no_hidden_memory(tmp_path: Path) -> None:
    """The trader keeps the highest price ever in its declared state."""
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
    """The rule reads the latest price or the forming candle: that is legal, but between closes nobody asks."""
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
    """The same rule wakes on candles, on each close, at a pace or by a timer: there is nothing to report."""
    rule = vector("market.candles.close[:, -1] > market.candles.close[:, -2]")
    assert {finding.level for finding in checked(tmp_path, rule, declared).values()} == {"ok"}


def test_an_unneeded_scope(tmp_path: Path) -> None:
    """A rule that reads each symbol by itself declares the scope `market`."""
    findings = checked(tmp_path, vector("market.last > market.open_24h"), ', scope="market"')
    assert failed(findings) == []
    assert findings["others"].level == "warn"


@pytest.mark.parametrize(("limit", "said"), [(-1.0, "nothing"), (0.0, "always")])
def test_what_never_changes_proves_little(limit: float, said: str, tmp_path: Path) -> None:
    """A rule that never changes its answer gives a warning, and no failure."""
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
        (
            "@hookimpl\ndef evaluate_symbol(symbol):\n    whole = symbol.candles.count == 3\n"
            "    return int(symbol.candles.open[0]) if whole else None\n",
            ', candles="1m", look_back=3',
            "cannot convert float NaN to integer",
        ),
    ],
)
def test_what_is_wrong_is_named(body: str, declared: str, said: str, tmp_path: Path) -> None:
    """Faults of the contract or in a call are named, with the line in the trader's file where there is one; no check
    follows."""
    heard: list[PluginError] = []
    *_, last = Check(load(), written(tmp_path, body, declared), {}, on_fault=heard.append).run()
    assert (last.check, last.level) == ("contract", "fail")
    assert said in last.found
    assert len(heard) == 1


def test_names_in_other_letters_are_told(tmp_path: Path) -> None:
    """A warning: such a symbol may exist. The sample has one, so the other checks go on."""
    findings = answers(written(tmp_path, vector("market.last > 1.0"), ', watch=["btcusdt", "GOLD"]'))
    assert findings["symbols"].level == "warn"
    assert findings["symbols"].found == "`watch`: no symbol is named btcusdt (did you mean BTCUSDT?)"
    assert findings["tracking"].level == "ok"


SHIPPED = sorted((ROOT / "plugins").glob("*.py"))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_traders_are_not_accused(file: Path, seed: int) -> None:
    """The sample does not matter; in it each trader matches now and then."""
    findings = answers(file, seed)
    assert {finding.level for finding in findings.values()} == {"ok"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_not_accused(template: str, tmp_path: Path) -> None:
    """Neither are the traders that people begin with."""
    file, _ = make_trader("mine", template, tmp_path)
    assert {finding.level for finding in answers(file, seed=3).values()} == {"ok"}


def test_helpers_are_loaded_afresh(tmp_path: Path) -> None:
    """What a helper beside the trader remembers is memory as well."""
    (tmp_path / "_shared_calls.py").write_text("calls = []\n")
    body = "import _shared_calls\n" + vector(
        "(market.last > 1.0) & (len(_shared_calls.calls) % 7 < 3)", "_shared_calls.calls.append(1)"
    )
    assert "later rows" in checked(tmp_path, body)["repeatable"].found
