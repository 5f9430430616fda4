"""The board, the alert rules and the scrape example agree with the pages, and with one another."""

import itertools
import re

import pytest

from tests.support.documents import ops
from tests.support.documents.markdown import code_blocks, plain, section, sections
from tests.support.documents.pages import page
from tickflag.common import settings

METRICS, ALERTS = page("metrics.md"), page("alerts.md")
KNOWN = {plain(row["Metric"]) for part in sections(METRICS) for row in part.rows if "Metric" in row}
NO_ALERTS = {"Alerts"}


def test_only_known_metrics_are_named() -> None:
    """In the board, the rules, and the queries of the page."""
    queries = code_blocks(METRICS, "promql")
    assert len(queries) > 2
    for expression in (*ops.expressions(), *queries):
        assert ops.metrics_of(expression) <= KNOWN, expression


def test_every_alert_has_its_entry() -> None:
    """Each rule links to its entry on the page, and the page has no other. An entry says what the alert means, what is
    normal, and what to do."""
    names = [rule.alert for rule in ops.rules()]
    assert len(names) > 10
    assert names == [part.title for part in sections(ALERTS) if part.title not in NO_ALERTS]
    for rule in ops.rules():
        assert rule.runbook == f"docs/alerts.md#{rule.alert.lower()}"
        told = re.findall(r"^\*\*(\w+)\.\*\* \S", section(ALERTS, rule.alert).body, re.MULTILINE)
        assert told == ["Means", "Normal", "Do"], rule.alert


def test_every_entry_is_found_from_the_figure_or_from_status() -> None:
    """Alerts of the engine's own figures are linked from the guide, where the figure is not normal."""
    linked = set(re.findall(r"\[(Tickflag\w+)\]\(alerts\.md#", METRICS))
    own = {rule.alert for rule in ops.rules() if ops.metrics_of(rule.expr)}
    assert linked == own


def test_the_board_can_be_imported() -> None:
    """It brings no id of another Grafana, and its data source is a variable; each panel has a title, a description and
    a query."""
    board = ops.board()
    assert (board["id"], board["uid"], board["title"]) == (None, "tickflag", "Tickflag")
    assert board["schemaVersion"] >= 39
    kinds = {one["name"]: one["type"] for one in board["templating"]["list"]}
    assert kinds == {"datasource": "datasource", "job": "query", "instance": "query", "trader": "query"}
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(one["datasource"] == chosen for one in board["templating"]["list"] if one["type"] == "query")
    for panel in ops.panels():
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == chosen
        assert panel["targets"], panel["title"]
        assert all(target["datasource"] == chosen for target in panel["targets"])
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


def test_panels_lie_beside_one_another() -> None:
    """None covers another, and none is wider than the board; ids are unique."""
    every = ops.board()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    areas = [panel["gridPos"] for panel in every]
    assert all(area["x"] >= 0 and area["x"] + area["w"] <= 24 for area in areas)
    for one, other in itertools.combinations(areas, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


@pytest.mark.parametrize("variable", ["job", "instance"])
def test_each_query_is_of_the_chosen_engine(variable: str) -> None:
    """So two engines in one Prometheus are told apart."""
    for panel in ops.panels():
        for target in panel["targets"]:
            selectors = re.findall(r"\w*\{[^}]*\}", target["expr"])
            assert selectors, target["expr"]
            assert all(f'{variable}=~"${variable}"' in one for one in selectors), target["expr"]


def test_the_scrape_example_finds_an_engine_as_installed() -> None:
    """Its address is that of the default settings, and its rules are the file beside it."""
    text = ops.SCRAPE.read_text()
    collector = settings.Settings().collector
    assert f'targets: ["{collector.metrics_host}:{collector.metrics_port}"]' in text
    assert "  - alerts.yml" in text
    assert "job_name: tickflag " in text
