"""A real Prometheus scrapes a real engine, with the files of `configs/ops`."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.documents import ops
from tests.support.documents.markdown import plain, sections
from tests.support.documents.pages import page
from tests.support.harnesses.engine import Engine
from tests.support.harnesses.prometheus import Prometheus, needs_prometheus, promtool
from tests.support.processes.waiting import WITHIN_S, allowed_s

pytestmark = needs_prometheus


def _families(text: str) -> dict[str, Metric]:
    """Metric -> its samples, by the name of its type line."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in text_string_to_metric_families(text)
    }


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=allowed_s(WITHIN_S)) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A whole engine whose metrics are served, once each trader has given signals."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plugins = tmp_path_factory.mktemp("plugins")
    for name in ("lively", "other"):  # match some of the symbols, and others with each price
        (plugins / f"{name}.py").write_text(
            "from tickflag import Trader, hookimpl\n"
            f"@hookimpl\ndef trader():\n    return Trader(name={name!r})\n"
            "@hookimpl\ndef evaluate(market):\n    return market.last * 1e6 % 2 >= 1, market.last\n"
        )
    settings = {"TICKFLAG_COLLECTOR__METRICS_PORT": str(port), "TICKFLAG_COLLECTOR__HEARTBEAT_MS": "50"}
    with Engine(tmp_path_factory.mktemp("engine"), settings, plugins) as engine:
        engine.start()
        engine.wait(lambda: len(_waited_for(_page(_url(engine)))) == 2, what="signals of both traders")
        yield engine


def _url(engine: Engine) -> str:
    url: str = engine.request("collector", "status")["collector"]["metrics"]
    return url


def _waited_for(text: str) -> set[str]:
    """The traders whose signals and cycles were counted."""
    families = _families(text)
    told = [
        {sample.labels["trader"] for sample in families[name].samples}
        for name in ("tickflag_trader_signal_latency_seconds", "tickflag_trader_cycle_seconds")
    ]
    return set.intersection(*told)


def test_the_page_is_good_prometheus(engine: Engine) -> None:
    """promtool finds no fault with names, types and help texts."""
    code, out = promtool("check", "metrics", given=_page(_url(engine)).encode())
    assert (code, out) == (0, "")


def test_the_guide_is_that_of_the_page(engine: Engine) -> None:
    """Every metric that is served is in the guide, with the type and labels it has there, and no other."""
    rows = [row for part in sections(page("metrics.md")) for row in part.rows if "Metric" in row]
    families = _families(_page(_url(engine)))
    assert {plain(row["Metric"]): row["Type"] for row in rows} == {name: one.type for name, one in families.items()}
    for row in rows:
        labels = set(filter(None, plain(row["Labels"]).split(", ")))
        for sample in families[plain(row["Metric"])].samples:
            assert sample.labels.keys() - {"le"} == labels, sample


def test_figures_of_the_feed_are_those_of_its_status(engine: Engine) -> None:
    """The page shows what `tickflag status` and the feed itself say, and only grows."""
    before = engine.request("feed", "status")
    families = _families(_page(_url(engine)))
    after = engine.request("feed", "status")
    for counter, name in (("updates", "updates"), ("swaps", "swaps"), ("flagged", "flagged_symbols")):
        (sample,) = families[f"tickflag_feed_{name}_total"].samples
        assert before[counter] <= sample.value <= after[counter]
    for name in ("swap", "cycle"):
        samples = {
            one.name: one.value for one in families[f"tickflag_feed_{name}_seconds"].samples if "le" not in one.labels
        }
        assert 0 < samples[f"tickflag_feed_{name}_seconds_count"] <= after["swaps"]
        assert samples[f"tickflag_feed_{name}_seconds_sum"] > 0


def test_one_scrape_brings_all_that_board_and_rules_name(engine: Engine, tmp_path: Path) -> None:
    """With the scrape example, whose address is changed: the target is up, the rules are loaded and healthy, each
    metric is there, and each panel and each choice of the board has data, with the labels that its legend names."""
    target = _url(engine).removeprefix("http://").removesuffix("/metrics")
    text = ops.SCRAPE.read_text().replace("127.0.0.1:9464", target)
    text = re.sub(r"interval: 15s", "interval: 1s", text)
    (tmp_path / "prometheus.yml").write_text(text)
    (tmp_path / "alerts.yml").write_text(ops.ALERTS.read_text())
    with Prometheus(tmp_path, tmp_path / "prometheus.yml") as prometheus:
        prometheus.wait_ready()
        engine.wait(lambda: prometheus.value('up{job="tickflag"} == 1'), what="the engine is scraped")
        names = set(prometheus.ask("label/__name__/values"))
        named = set().union(*(ops.samples_of(one) for one in ops.expressions()))
        assert named <= names
        # Of what a panel shows only where something is wrong, such as stale matches, there need not be any.
        legends = {one: labels for one, labels in ops.board_legends().items() if not re.search(r"> 0$|== 1$", one)}
        assert len(legends) > 30
        engine.wait(lambda: all(map(prometheus.value, legends)), what="every panel has data")
        for expression, labels in legends.items():
            assert all(labels <= json.loads(one).keys() for one in prometheus.value(expression)), expression
        for name, (series, label) in ops.board_choices().items():
            assert prometheus.value(f"count by ({label}) ({series})"), name

        def healthy() -> bool:
            groups = prometheus.ask("rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert [rule["name"] for rule in rules] == [rule.alert for rule in ops.rules()]
            assert not [rule for rule in rules if rule["health"] == "err"], json.dumps(rules)
            return all(rule["health"] == "ok" for rule in rules)

        engine.wait(healthy, what="every rule was evaluated")
