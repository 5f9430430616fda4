"""The topics `overview` and `history`: the engine at a glance, what is wrong with it, and how it went."""

from typing import Any

from tickflag.common.diagnosis import engine
from tickflag.common.diagnosis.buffers import buffers
from tickflag.common.diagnosis.engine_rates import sums
from tickflag.common.runtime import Role
from tickflag.common.wire.requests import Service
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic

ROLES = ("feed", "collector", "trader")
RECENT = 20


def _overview(arguments: TopicArguments) -> Ready:
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        sight.owe_signals()
        status = sight.ask("collector", "status") or {"traders": []}
        traders = status["traders"]
        rates = sight.figures.rates(1.0)
        return Answer(
            {
                "time_ms": sight.now_ms,
                "feed": _feed(sight, rates),
                "engine": {
                    **sums(traders),
                    "processed_per_s": rates["processed_per_s"],
                    "cpu_saving": sight.figures.saving,
                    "latency_ms": sight.figures.latency_ms(),
                    "batch_mode": batch_mode(sight),
                },
                "buffers": buffers(sight.market.channel_words(), traders),
                "traders": _traders(sight, traders),
                "recent": sight.collector.signals.newest_moves(RECENT),
                "problems": problems(sight),
            }
        )

    return answer


def _feed(sight: Sight, rates: dict[str, float | None]) -> dict[str, Any]:
    state = {key: value for key, value in sight.figures.feed.state.items() if key != "heartbeat_age_ms"}
    return {
        **state,
        "age_ms": sight.figures.feed.state.get("heartbeat_age_ms"),
        **{name: rates[name] for name in ("ticks_per_s", "flagged_per_cycle", "swap_interval_ms", "swap_time_us")},
    }


def _traders(sight: Sight, traders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Match counts as the table of matches has them, so that all views say the same."""
    counts = sight.collector.table.counts()
    moves = sight.collector.signals.last_minute(sight.now_ms)
    return [
        {
            "name": trader["name"],
            "state": trader["state"],
            "restarted": sight.figures.restarts.recent(trader["name"], sight.now_s),
            "matches": counts.get(trader["name"], 0) if sight.collector.ready else trader["matches"],
            "entered": None if moves is None else moves.get((trader["name"], "entered"), 0),
            "left": None if moves is None else moves.get((trader["name"], "left"), 0),
        }
        for trader in traders
    ]


def batch_mode(sight: Sight) -> list[str]:
    """The traders that evaluate all symbols in every cycle."""
    return engine.batch_mode(sight.ask("collector", "flags.list"), sight.ask("collector", "control"))


def problems(sight: Sight) -> list[dict[str, str]]:
    """What is wrong, in the words of the doctor."""
    holders = {role: Role.holder(sight.runtime, role) for role in ROLES}
    asked: tuple[tuple[Service, str], ...] = (("collector", "status"), ("trader", "supervisor"))
    errors = {service: sight.error(service, what) for service, what in asked}
    silence: dict[str, str] = {service: str(error) for service, error in errors.items() if error is not None}
    trouble = (sight.ask("collector", "flags.list") or {}).get("trouble", "")
    traders = (sight.ask("collector", "status") or {"traders": []})["traders"]
    found = engine.problems(holders, sight.figures.feed.state, silence, trouble, traders)
    return [{"level": one.level, "text": one.found, "do": one.do} for one in found]


def _history(arguments: TopicArguments) -> Ready:
    span = arguments.choice("span", ("minutes", "hours"), "minutes")
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        history = sight.figures.minutes if span == "minutes" else sight.figures.hours
        return Answer(history.document(sight.now_ms))

    return answer


TOPICS = (Topic("overview", _overview, 0.0, follows=True), Topic("history", _history, 1.0))
