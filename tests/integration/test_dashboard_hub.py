"""The dashboard's hub at a real engine: at a frozen cycle, every figure is the counter it stands for."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.harnesses.engine import Engine
from tests.support.processes.waiting import WITHIN_S, wait_until
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.segment.layout import CLOSED, CONTROL_WORDS
from tickflag.common.settings import Settings, load
from tickflag.common.wire.requests import Unreachable
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.hub.refusals import NotFound, Refused


class Viewer:
    """Keeps the newest answer of each subscription, and every refusal."""

    def __init__(self, trusted: bool = False) -> None:
        self.trusted = trusted
        self.answers: dict[int, Answer] = {}
        self.refusals: list[tuple[int, str]] = []
        self.puts = 0
        self._lock = threading.Lock()

    def put(self, identity: int, answer: Answer) -> None:
        with self._lock:
            self.puts += 1
            self.answers[identity] = answer

    def refuse(self, identity: int, error: str) -> None:
        with self._lock:
            self.refusals.append((identity, error))


@pytest.fixture
def settings(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the engine's processes."""
    for name, value in engine.env.items():
        if name.startswith("TICKFLAG_"):
            monkeypatch.setenv(name, value)
    return load()


@pytest.fixture
def hub(settings: Settings) -> Iterator[Hub]:
    log: Any = RecordedLog()
    with Hub(settings, settings.runtime_folder(), log) as hub:
        yield hub


def ask(hub: Hub, topic: str, trusted: bool = True, **arguments: Any) -> dict[str, Any]:
    return hub.once(topic, arguments, trusted).result(WITHIN_S).document()


def freeze(engine: Engine) -> None:
    """Wait until the source has stopped, all is announced, and traders and collector have it."""
    engine.request("feed", "swap")

    def state() -> Any:
        traders = engine.request("collector", "traders")
        return [{**trader, "age_ms": 0, "cpu_ns": 0} for trader in traders], engine.request("feed", "status")

    last: list[Any] = [None]

    def still() -> bool:
        before, last[0] = last[0], state()
        return bool(before == last[0])

    wait_until(still, what="everything stands still", look_s=1.5)  # longer than a trader's heartbeat


def test_every_figure_is_its_counter(engine: Engine, hub: Hub) -> None:
    """The source stands still: segment, services and all topics say the same."""
    engine.start()
    engine.wait_ready()
    engine.wait(lambda: engine.request("collector", "status")["collector"]["last_seq"] > 20, what="signals")
    engine.stop("feed")
    engine.start("feed", env={"TICKFLAG_SYNTHETIC__RATE": "0"})
    engine.wait_ready()
    freeze(engine)
    status, flags = engine.request("collector", "status"), engine.request("collector", "flags.list")
    lines = {trader["name"]: trader for trader in status["traders"]}
    matches = {name: engine.request("collector", "matches", trader=name) for name in lines}

    overview = ask(hub, "overview")
    with engine.segment() as segment:
        counters, control = segment.counters(), segment.arrays.control
        assert {name: overview["feed"][name] for name in counters} == counters
        assert overview["feed"]["symbols"] == engine.request("feed", "status")["symbols"]
        closed = [int(control[at * CONTROL_WORDS + CLOSED]) for at in range(len(segment.channel_names))]
        assert [buffer["cycle"] for buffer in overview["buffers"]] == closed
        assert [buffer["channel"] for buffer in overview["buffers"]] == list(segment.channel_names)
    assert overview["feed"]["state"] == "running"
    for name in ("processed", "skipped"):
        assert overview["engine"][name] == sum(line[name] for line in lines.values())
    assert sum(buffer["catch_ups"] for buffer in overview["buffers"]) == sum(
        line["cycles"] - line["fast"] for line in lines.values()
    )
    assert overview["problems"] == []
    wait_until(lambda: ask(hub, "overview")["feed"]["ticks_per_s"] == 0.0, what="no tick in the last second")
    assert {trader["name"]: trader["matches"] for trader in overview["traders"]} == {
        name: len(one["matches"]) for name, one in matches.items()
    }

    wait_until(lambda: (table := ask(hub, "matches", count=5_000))["total"] == table["matching"], what="left are gone")
    table = ask(hub, "matches", count=5_000, sort=[["score", "desc"]])
    assert {(row["trader"], row["symbol"]) for row in table["rows"]} == {
        (name, symbol) for name, one in matches.items() for symbol in one["matches"]
    }
    scores = [row["score"] for row in table["rows"]]
    assert scores == sorted(scores, reverse=True)
    market = {row["symbol"]: row for row in table["rows"]}
    for symbol in list(market)[:5]:
        page = ask(hub, "symbol", symbol=symbol)
        for column in ("last", "bid", "ask", "volume_24h", "change_24h"):
            assert page["ticker"][column] == market[symbol][column]
        assert [one["trader"] for one in page["matches"]] == sorted(
            name for name, one in matches.items() if symbol in one["matches"]
        )
        of_symbol = [signal for signal in engine.signals() if signal["symbol"] == symbol]
        assert page["signals"] == of_symbol[::-1][:200]

    for trader in ask(hub, "traders")["traders"]:
        line = lines[trader["name"]]
        for name in ("state", "pid", "processed", "skipped", "cycles", "restarts", "failures", "circuits", "lapped"):
            assert trader[name] == line[name]
        assert trader["matches"] == len(matches[trader["name"]]["matches"])
        assert trader["label"].endswith(".py")
    newest = engine.signals()[::-1]
    signals = ask(hub, "signals", count=10)
    assert signals["signals"] == newest[:10]
    assert signals["last_seq"] == status["collector"]["last_seq"]
    assert overview["recent"] == [one for one in newest if one["event"] != "score"][:20]
    assert ask(hub, "signals", since=3, count=4)["signals"] == newest[::-1][3:7][::-1]
    assert ask(hub, "signals", before=10, count=4)["signals"] == newest[::-1][5:9][::-1]
    assert (
        ask(hub, "signals", trader="rsi", count=5)["signals"]
        == [signal for signal in newest if signal["trader"] == "rsi"][:5]
    )
    assert ask(hub, "flags") == flags
    assert ask(hub, "debug")["header"]["capacity"] == 1024


def test_a_viewer_sees_changes_and_commands_work(engine: Engine, hub: Hub, settings: Settings) -> None:
    """A window is put again and again; a command changes what is seen; monitoring off ends it, also after a restart."""
    engine.start()
    engine.wait_ready()
    viewer = Viewer()
    hub.subscribe(viewer, 1, "matches", {"count": 5})
    hub.subscribe(viewer, 2, "traders", {})
    hub.subscribe(viewer, 3, "nope", {})
    wait_until(lambda: viewer.puts > 5 and {1, 2} <= viewer.answers.keys())
    assert viewer.refusals == [(3, viewer.refusals[0][1])]
    assert "there is no topic 'nope'" in viewer.refusals[0][1]
    assert viewer.answers[1].rows is not None
    assert viewer.answers[1].rows <= 5

    hub.do("trader.stop", {"trader": "rsi"}, "dashboard").result(WITHIN_S)

    def rsi() -> Any:
        return next(one for one in viewer.answers[2].data["traders"] if one["name"] == "rsi")

    wait_until(lambda: rsi()["state"] == "stopped")
    hub.do("flags.set", {"flag": "audit", "value": 40.0}, "dashboard").result(WITHIN_S)
    assert [ask(hub, "flag", flag="audit")["history"][0][key] for key in ("who", "after")] == ["dashboard", "40 %"]
    with pytest.raises(TickflagError, match="no trader 'nobody'"):
        hub.do("trader.stop", {"trader": "nobody"}, "dashboard").result(WITHIN_S)
    with pytest.raises(NotFound, match="no trader 'nobody'"):
        ask(hub, "matches", traders=["nobody"])
    with pytest.raises(NotFound, match="no symbol"):
        ask(hub, "symbol", symbol="NO/SUCH:THING")
    with pytest.raises(Refused, match="argument 'count'"):
        ask(hub, "matches", count="all")
    assert ask(hub, "trader", trusted=False, trader="rsi")["log"] is None
    assert isinstance(ask(hub, "trader", trader="rsi")["log"], list)
    assert ask(hub, "debug", trusted=False)["settings"] is None

    assert hub.do("monitoring", {"on": False}, "dashboard").result(WITHIN_S) == {"on": False}
    assert not hub.monitoring
    wait_until(lambda: (1, "monitoring is switched off") in viewer.refusals)
    puts = viewer.puts
    log: Any = RecordedLog()
    with Hub(settings, settings.runtime_folder(), log) as another:
        assert not another.monitoring
        another.do("monitoring", {"on": True}, "dashboard").result(WITHIN_S)
    assert viewer.puts == puts
    hub.do("monitoring", {"on": True}, "dashboard").result(WITHIN_S)
    wait_until(lambda: viewer.puts > puts)
    hub.drop(viewer)
    hub.drop(viewer)


def test_parts_that_do_not_run_show_as_such(engine: Engine, hub: Hub) -> None:
    """Without any engine, with a collector that hangs, without one: the rest goes on, with words for what is wrong."""
    overview = ask(hub, "overview")
    assert overview["feed"]["state"] == "stopped"
    assert [problem["text"] for problem in overview["problems"]] == ["no engine is running"]
    with pytest.raises(Unreachable):
        ask(hub, "traders")
    engine.start()
    engine.wait_ready()
    viewer = Viewer()
    hub.subscribe(viewer, 1, "overview", {})
    wait_until(lambda: 1 in viewer.answers and viewer.answers[1].data["traders"])

    engine.send("collector", signal.SIGSTOP)
    wait_until(lambda: "did not answer" in str(viewer.answers[1].data["problems"]))
    updates = viewer.answers[1].data["feed"]["updates"]
    wait_until(lambda: viewer.answers[1].data["feed"]["updates"] > updates, what="the feed's figures go on")
    assert ask(hub, "debug")["header"]
    engine.send("collector", signal.SIGCONT)
    wait_until(lambda: not viewer.answers[1].data["problems"])
    engine.stop("collector")
    wait_until(lambda: "no collector is running" in str(viewer.answers[1].data["problems"]))
    assert viewer.answers[1].data["feed"]["state"] == "running"
    wait_until(lambda: ask(hub, "matches")["away"])
    engine.start("collector")
    engine.wait_ready()
    wait_until(lambda: not viewer.answers[1].data["problems"] and viewer.answers[1].data["recent"])


def test_the_debug_ring_outlasts_a_restart_of_the_feed(engine: Engine, hub: Hub) -> None:
    """Switched on in the dashboard, it is on in the next feed, until it is switched off."""
    engine.start("feed")
    engine.wait(lambda: engine.request("feed", "status"))
    assert hub.do("feed.debug", {"on": True}, "dashboard").result(WITHIN_S) == {"debug": True}
    wait_until(lambda: len(ask(hub, "debug")["ring"]["updates"]) > 10)
    engine.stop("feed")
    engine.start("feed")
    engine.wait(lambda: engine.request("feed", "status"))
    wait_until(lambda: ask(hub, "debug")["ring"]["on"])
    hub.do("feed.debug", {"on": False}, "dashboard").result(WITHIN_S)
    assert not ask(hub, "debug")["ring"]["on"]
