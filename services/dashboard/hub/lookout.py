"""Lookout: what the hub's thread does in a turn: look at the engine, and answer all who look.

Nobody looks: one look in ten seconds, for the charts of hours. Monitoring is off: none.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tickflag.common.client.questions import Questions
from tickflag.common.diagnosis.resolved_settings import resolved_settings
from tickflag.common.errors import TickflagError
from tickflag.common.kept_switch import KeptSwitch
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import MS_PER_S, NS_PER_MS
from tickflag.common.wire.requests import Unreachable
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.commands import MONITORING, monitoring_of, order_of
from tickflag.services.dashboard.hub.engine.collector_view import CollectorView
from tickflag.services.dashboard.hub.engine.engine_figures import HOURS, EngineFigures
from tickflag.services.dashboard.hub.engine.market_names import MarketNames
from tickflag.services.dashboard.hub.engine.market_view import MarketView
from tickflag.services.dashboard.hub.engine.symbol_slots import SymbolSlots
from tickflag.services.dashboard.hub.subscriptions import Subscriptions, WatchedTopic, prepared
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic, Waiting
from tickflag.services.dashboard.hub.viewer import Viewer

SOON_S = 0.01
"""Until the next turn while an answer of a service is on its way."""
FOLLOW_S = 0.05
"""Between two turns while somebody looks at what follows the signals."""
REST_S = 60.0
"""After so long without anybody who looks, the signals are followed no more."""
PARTS_S = 1.0
"""So long a first answer waits for all its parts; then it goes without those that are late."""
PATIENCE_S = 4.0
"""So long anything waits for what it cannot do without."""
OFF = "monitoring is switched off"


@dataclass(eq=False)
class _Single:
    """A request for one answer."""

    topic: Topic
    ready: Ready
    trusted: bool
    future: Future[Answer]
    from_s: float


class Lookout:
    """One thread, which makes it, too: the sockets are of that thread. No method waits."""

    def __init__(self, settings: Settings, runtime: Runtime, log: Logger, monitoring: KeptSwitch) -> None:
        self._log, self._monitoring = log, monitoring
        self._sample_s = settings.dashboard.sample_ms / MS_PER_S
        self._subscriptions = Subscriptions()
        self._singles: list[_Single] = []
        questions, market = Questions(runtime), MarketView(settings, runtime)
        resolved = {
            ".".join(key): {"value": value, "set_by": origin or "default"} for key, value, origin in resolved_settings()
        }
        self._sight = Sight(
            settings, runtime, questions, market, CollectorView(runtime, questions), EngineFigures(), SymbolSlots(),
            MarketNames(market), resolved,
        )  # fmt: skip
        self._look_due_s = 0.0
        self._record_owed = False
        self._looked_s = -REST_S

    # What the web asks for.

    def subscribe(self, viewer: Viewer, identity: int, topic: str, arguments: Mapping[str, Any]) -> None:
        """Begin to put answers to the viewer, or refuse."""
        try:
            watched = self._subscriptions.add(viewer, identity, topic, arguments)
        except TickflagError as error:
            viewer.refuse(identity, str(error))
            return
        if not self._monitoring.on:
            viewer.refuse(identity, OFF)
        elif watched.answer is not None:
            viewer.put(identity, watched.answer)
        elif watched.error:
            viewer.refuse(identity, watched.error)
        if self._monitoring.on:
            self._begin_to_look()

    def unsubscribe(self, viewer: Viewer, identity: int) -> None:
        self._subscriptions.remove(viewer, identity)

    def drop(self, viewer: Viewer) -> None:
        self._subscriptions.drop(viewer)

    def once(self, topic: str, arguments: Mapping[str, Any], trusted: bool, future: Future[Answer]) -> None:
        """Give the future the present answer, as soon as all its parts are there."""
        known, ready = prepared(topic, arguments)
        self._singles.append(_Single(known, ready, trusted, future, time.monotonic()))
        self._begin_to_look()

    def find_signals(self, arguments: Mapping[str, Any], future: Future[Any]) -> None:
        """Give the future the collector's answer to `signals.find`."""

        def take(value: Any, error: TickflagError | None) -> None:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        self._sight.questions.ask("collector", "signals.find", dict(arguments), take)

    def do(self, what: str, arguments: Mapping[str, Any], who: str, future: Future[Any]) -> None:
        """Carry out a command."""
        if what == MONITORING:
            trouble = self._monitoring.set(monitoring_of(arguments))
            self._log.info("monitoring", on=self._monitoring.on, by=who)
            if trouble:
                self._log.warning("the monitoring switch is not kept", reason=trouble)
            future.set_result({"on": self._monitoring.on})
            for watched in self._subscriptions:
                watched.due_s, watched.error, watched.frame = 0.0, "", None
                if not self._monitoring.on:
                    self._refuse(watched, OFF)
            if not self._monitoring.on:
                self._looked_s = time.monotonic() - REST_S  # the signals are followed no more from now on
            elif self._subscriptions:
                self._begin_to_look()
            return
        order = order_of(what, arguments, who)
        future.add_done_callback(lambda _future: self._changed())
        self._sight.questions.command(order.service, order.what, order.arguments, future)

    # The turn.

    def turn(self) -> float:
        """Do what is due; gives the seconds until the next turn."""
        now_s = time.monotonic()
        sight, questions = self._sight, self._sight.questions
        sight.now_ms = time.time_ns() / NS_PER_MS
        sight.now_s, sight.rows_copied = now_s, False
        came = questions.step()
        looked = bool(self._singles) or (self._monitoring.on and bool(self._subscriptions))
        if looked:
            self._looked_s = now_s
        self._follow(now_s)
        if self._monitoring.on or self._singles:
            self._look(now_s, looked)
        if self._monitoring.on:
            for watched in self._subscriptions:
                if now_s >= watched.due_s or (came and watched.waits_from_s is not None):
                    self._answer(watched, now_s)
        self._singles = [one for one in self._singles if not self._answer_once(one, now_s)]
        questions.step()  # what was asked just now goes out
        return self._wait_s(time.monotonic())

    def close(self) -> None:
        for single in self._singles:
            single.future.set_exception(Unreachable("the dashboard ends"))
        self._sight.questions.close()
        self._sight.collector.rest()
        self._sight.market.close()

    def _follow(self, now_s: float) -> None:
        if now_s - self._looked_s < REST_S:
            self._sight.collector.step(self._sight.now_ms)
        else:
            self._sight.collector.rest()

    def _look(self, now_s: float, looked: bool) -> None:
        """Take the figures of feed and collector, where that is due."""
        sight, questions = self._sight, self._sight.questions
        every_s = self._sample_s if looked else HOURS[0]
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + every_s
            sight.figures.look(sight.market.figures(), now_s)
            self._record_owed = True
            questions.forget_unused()
        known = questions.latest("collector", "status", min(1.0, every_s) if looked else HOURS[0])
        if known.answered:
            sight.figures.hear(known.value, now_s)
        if self._record_owed and not known.waiting:
            self._record_owed = False
            sight.figures.record(sight.now_ms)

    def _begin_to_look(self) -> None:
        self._looked_s = now_s = time.monotonic()
        self._look_due_s = min(self._look_due_s, now_s)

    def _changed(self) -> None:
        """A command was carried out: whatever is looked at may be other than it was."""
        self._sight.questions.renew()
        for watched in self._subscriptions:
            watched.due_s = 0.0

    def _answer(self, watched: WatchedTopic, now_s: float) -> None:
        watched.due_s = now_s + (watched.topic.every_s or self._sample_s)
        try:
            answer, whole = self._made(watched.topic, watched.ready, watched.trusted)
        except Waiting:
            watched.waits_from_s = now_s if watched.waits_from_s is None else watched.waits_from_s
            if now_s - watched.waits_from_s > PATIENCE_S:
                self._refuse(watched, "no answer yet: the engine is busy or starting")
            else:
                watched.due_s = now_s + SOON_S
            return
        except TickflagError as error:
            watched.waits_from_s = None
            self._refuse(watched, str(error))
            return
        if not whole:
            watched.waits_from_s = now_s if watched.waits_from_s is None else watched.waits_from_s
            if watched.answer is None and now_s - watched.waits_from_s < PARTS_S:
                watched.due_s = now_s + SOON_S
                return
        else:
            watched.waits_from_s = None
        frame = answer.frame(0)
        if frame == watched.frame:
            return
        watched.answer, watched.frame, watched.error = answer, frame, ""
        for viewer, identity in watched.places:
            viewer.put(identity, answer)

    def _answer_once(self, single: _Single, now_s: float) -> bool:
        """Give the future its answer; False where it has to wait."""
        waited_s = now_s - single.from_s
        try:
            answer, whole = self._made(single.topic, single.ready, single.trusted)
        except Waiting:
            if waited_s < PATIENCE_S:
                return False
            single.future.set_exception(Unreachable("no answer in time: the engine is busy or starting"))
        except TickflagError as error:
            single.future.set_exception(error)
        else:
            if not whole and waited_s < PARTS_S:
                return False
            single.future.set_result(answer)
        return True

    def _made(self, topic: Topic, ready: Ready, trusted: bool) -> tuple[Answer, bool]:
        """The answer, and whether all its parts are there. Raises Waiting and TickflagError only."""
        self._sight.owed = False
        try:
            answer = ready(self._sight, trusted)
        except (TickflagError, Waiting):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of one topic must not end the others
            self._log.error("topic failed", topic=topic.name, exc_info=error)
            raise TickflagError(f"the dashboard failed at {topic.name!r}: {type(error).__name__}: {error}") from None
        return answer, not self._sight.owed

    def _refuse(self, watched: WatchedTopic, error: str) -> None:
        """Tell all who look, once."""
        if error != watched.error:
            watched.error, watched.frame = error, None
            for viewer, identity in watched.places:
                viewer.refuse(identity, error)

    def _wait_s(self, now_s: float) -> float:
        if self._sight.questions.waiting or self._singles or self._sight.collector.busy:
            return SOON_S
        if not self._monitoring.on:
            return float(HOURS[0])
        due_s = min([self._look_due_s, *(watched.due_s for watched in self._subscriptions)])
        if any(watched.topic.follows for watched in self._subscriptions):
            due_s = min(due_s, now_s + FOLLOW_S)
        elif now_s - self._looked_s < REST_S:
            due_s = min(due_s, now_s + 1.0)
        return max(0.0, due_s - now_s)
