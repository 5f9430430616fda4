"""The alert rules by the real promtool: when each fires, and when it does not."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.documents import ops
from tests.support.harnesses.prometheus import needs_prometheus, promtool

pytestmark = needs_prometheus


class Case(NamedTuple):
    """Series, a value a minute, with which an alert fires in the end, and with which none does."""

    alert: str
    fires: dict[str, str]
    rests: dict[str, str]


def _latency(name: str, fast: int, slow: int) -> dict[str, str]:
    """A histogram with so many more durations a minute of up to a millisecond, and of up to ten seconds."""
    return {
        f'{name}_bucket{{trader="rsi",le="0.001"}}': f"0+{fast}x30",
        f'{name}_bucket{{trader="rsi",le="10.0"}}': f"0+{fast + slow}x30",
        f'{name}_bucket{{trader="rsi",le="+Inf"}}': f"0+{fast + slow}x30",
    }


SWAPS, SIGNALS = "tickflag_feed_swap_seconds", "tickflag_trader_signal_latency_seconds"
UPDATES = {"tickflag_feed_updates_total": "0+60000x30"}
CASES = (
    Case("TickflagCollectorDown", {'up{job="tickflag"}': "1x5 0x25"}, {'up{job="other"}': "0x30"}),
    Case("TickflagFeedDown", {"tickflag_feed_up": "1x5 0x25"}, {"tickflag_feed_up": "0x5 1x25"}),
    Case(
        "TickflagFeedSilent",
        {"tickflag_feed_up": "1x30", "tickflag_feed_updates_total": "7x30"},
        {"tickflag_feed_up": "1x30", "tickflag_feed_updates_total": "0+1x30"},
    ),
    Case(
        "TickflagMessagesDropped",
        {"tickflag_collector_dropped_messages_total": "0+1x30"},
        {"tickflag_collector_dropped_messages_total": "5x30"},
    ),
    Case(
        "TickflagSegmentFull",
        {"tickflag_feed_refused_symbols_total": "0x25 1x5", "tickflag_feed_refused_updates_total": "0x30"},
        {"tickflag_feed_refused_symbols_total": "3x30", "tickflag_feed_refused_updates_total": "9x30"},
    ),
    Case(
        "TickflagUpdatesRejected",
        {**UPDATES, "tickflag_feed_rejected_updates_total": "0+61x30"},
        {**UPDATES, "tickflag_feed_rejected_updates_total": "0+59x30"},
    ),
    Case(
        "TickflagTicksLate",
        {**UPDATES, "tickflag_feed_late_ticks_total": "0+601x30"},
        {**UPDATES, "tickflag_feed_late_ticks_total": "0+599x30"},
    ),
    Case(
        "TickflagTimesImpossible",
        {"tickflag_feed_impossible_times_total": "0+1x30"},
        {"tickflag_feed_impossible_times_total": "8x30"},
    ),
    Case("TickflagSwapsSlow", _latency(SWAPS, 90, 10), _latency(SWAPS, 1000, 9)),
    Case(
        "TickflagTraderNotRunning",
        {'tickflag_trader_state{trader="rsi",state="failing"}': "_x5 1x25"},
        {
            'tickflag_trader_state{trader="rsi",state="running"}': "1x30",
            'tickflag_trader_state{trader="off",state="disabled"}': "1x30",
        },
    ),
    Case(
        "TickflagTraderFailing",
        {'tickflag_trader_failures_total{trader="rsi"}': "0+1x30"},
        {'tickflag_trader_failures_total{trader="rsi"}': "4x30"},
    ),
    Case(
        "TickflagTraderRestarts",
        {'tickflag_trader_restarts_total{trader="rsi"}': "0+1x30"},
        {'tickflag_trader_restarts_total{trader="rsi"}': "0x25 1x5"},
    ),
    Case(
        "TickflagCircuitOpen",
        {'tickflag_trader_circuit_state{trader="rsi",circuit="plugin",state="open"}': "1x30"},
        {'tickflag_trader_circuit_state{trader="rsi",circuit="plugin",state="closed"}': "1x30"},
    ),
    Case(
        "TickflagTraderUnsynced",
        {'tickflag_trader_synced{trader="rsi"}': "0x30"},
        {'tickflag_trader_synced{trader="rsi"}': "0x28 1x2"},
    ),
    Case(
        "TickflagTraderBusy",
        {'tickflag_trader_cycle_seconds_sum{trader="rsi"}': "0+49x30"},
        {'tickflag_trader_cycle_seconds_sum{trader="rsi"}': "0+47x30"},
    ),
    Case("TickflagSignalsLate", _latency(SIGNALS, 90, 10), _latency(SIGNALS, 1000, 9)),
    Case(
        "TickflagCandlesMissed",
        {'tickflag_trader_missed_candles_total{trader="rsi"}': "0x25 4x5"},
        {'tickflag_trader_missed_candles_total{trader="rsi"}': "4x30"},
    ),
)


def test_every_rule_has_a_case() -> None:
    """A rule that is added is tried here."""
    assert [case.alert for case in CASES] == [rule.alert for rule in ops.rules()]


def test_the_files_are_valid() -> None:
    """The scrape example, and the rules that it loads."""
    code, out = promtool("check", "config", str(ops.SCRAPE))
    assert code == 0, out
    assert f"{len(CASES)} rules found" in out


def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    """After half an hour of what is wrong that one alert fires and no other; with what is normal none does."""
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    tests: list[dict[str, Any]] = []
    for case in CASES:
        for series, expected in (
            (case.fires, [{"labels": f'{{alertname="{case.alert}"}}', "value": 1}]),
            (case.rests, []),
        ):
            tests.append(
                {
                    "name": f"{case.alert} {'fires' if expected else 'rests'}",
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [{"expr": firing, "eval_time": "30m", "exp_samples": expected}],
                }
            )
    _assert_holds(tmp_path, tests)


def test_an_alert_tells_what_and_where(tmp_path: Path) -> None:
    """Its texts name the engine and the trader, with the value in a form that people read."""
    labels = {"instance": "host:9464", "trader": "rsi"}
    told = {
        "summary": "Trader rsi of host:9464 spends 90% of its time in cycles",
        "runbook": "docs/alerts.md#tickflagtraderbusy",
    }
    series = 'tickflag_trader_cycle_seconds_sum{instance="host:9464",trader="rsi"}'
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "0+54x30"}],
        "alert_rule_test": [
            {
                "eval_time": "30m",
                "alertname": "TickflagTraderBusy",
                "exp_alerts": [{"exp_labels": {"severity": "warning", **labels}, "exp_annotations": told}],
            }
        ],
    }
    _assert_holds(tmp_path, [test])


def _assert_holds(folder: Path, tests: list[dict[str, Any]]) -> None:
    """Have promtool run unit tests of the rules. JSON is YAML."""
    path = folder / "tests.yml"
    path.write_text(json.dumps({"rule_files": [str(ops.ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    code, out = promtool("test", "rules", str(path))
    assert code == 0, out


@pytest.mark.parametrize("expression", sorted(set(ops.board_expressions())))
def test_expressions_of_the_board_parse(expression: str, tmp_path: Path) -> None:
    """As rules would, with a value for each variable."""
    rule = {"groups": [{"name": "board", "rules": [{"record": "tried", "expr": expression}]}]}
    path = tmp_path / "board.yml"
    path.write_text(json.dumps(rule))
    code, out = promtool("check", "rules", str(path))
    assert code == 0, out
