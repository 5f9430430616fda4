"""What lies in `configs/ops`: the board, the alert rules, and the metrics that their expressions name."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.support.documents.pages import ROOT

OPS = ROOT / "configs" / "ops"
BOARD = OPS / "grafana-board.json"
ALERTS = OPS / "alerts.yml"
SCRAPE = OPS / "prometheus.yml"

_OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")
_VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*", "$trader": ".*"}


class Rule(NamedTuple):
    """An alert rule as the file has it."""

    alert: str
    expr: str
    runbook: str


def board() -> dict[str, Any]:
    """The board as Grafana imports it."""
    document: dict[str, Any] = json.loads(BOARD.read_text())
    return document


def panels() -> list[dict[str, Any]]:
    """The panels of the board that show something."""
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def board_expressions() -> list[str]:
    """The expressions of all panels, with a value for each variable, as Grafana sends them."""
    return [_filled(target["expr"]) for panel in panels() for target in panel["targets"]]


def board_legends() -> dict[str, set[str]]:
    """Each expression of the board, filled as by `board_expressions` -> the labels that its legend names."""
    targets = [target for panel in panels() for target in panel["targets"]]
    return {_filled(one["expr"]): set(re.findall(r"{{(\w+)}}", one.get("legendFormat", ""))) for one in targets}


def board_choices() -> dict[str, tuple[str, str]]:
    """Variable of the board -> the series and the label whose values it offers."""
    found = {}
    for one in board()["templating"]["list"]:
        if one["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"]["query"]).groups()  # type: ignore[union-attr] # else the test fails
            found[one["name"]] = (_filled(series), label)
    return found


def rules() -> list[Rule]:
    """The alert rules. The file is read line by line: a rule has its keys in lines of their own."""
    found = []
    for text in re.split(r"^      - alert: ", ALERTS.read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = text.partition("\n")
        (expr,) = re.findall(r"^ +expr: (.+)$", rest, re.MULTILINE)
        (runbook,) = re.findall(r"^ +runbook: (.+)$", rest, re.MULTILINE)
        found.append(Rule(name, expr, runbook))
    return found


def samples_of(expression: str) -> set[str]:
    """The names of all samples of ours that an expression reads."""
    return set(re.findall(r"\btickflag_\w+", expression))


def metrics_of(expression: str) -> set[str]:
    """Their metrics: a histogram's samples belong to one metric."""
    return {_OF_HISTOGRAMS.sub("", name) for name in samples_of(expression)}


def expressions() -> Iterator[str]:
    """Those of the board and of the rules."""
    yield from board_expressions()
    yield from (rule.expr for rule in rules())


def _filled(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
