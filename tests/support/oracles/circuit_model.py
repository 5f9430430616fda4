"""What a circuit has to be, computed from its whole timeline: tick by tick, with plain lists as the only memory."""

from typing import NamedTuple

from tickflag.services.collector.recovery.circuit import Kind, Limits


class CircuitInput(NamedTuple):
    """`word` is `ok`, `release`, or `fail` with the number of the failed cycle."""

    tick: int
    word: str
    cycle: int = 0


class CircuitPicture(NamedTuple):
    state: str
    level: int
    opened: int
    fresh_starts: int


def picture(kind: Kind, limits: Limits, timeline: list[CircuitInput], end: int) -> CircuitPicture:
    """The circuit at the tick `end`, made at tick 0. Each duration in `limits` has at least one tick."""
    story = _CircuitStory(kind, limits)
    for tick in range(end + 1):
        story.time_passes(tick)
        for given in timeline:
            if given.tick == tick:
                getattr(story, given.word)(tick, given.cycle)
                story.time_passes(tick)
    return CircuitPicture(story.state, story.level, story.opened, story.fresh)


class _CircuitStory:
    def __init__(self, kind: Kind, limits: Limits) -> None:
        self.plugin = kind == "plugin"
        self.limits = limits
        self.state, self.since = "closed", 0
        self.level = self.opened = self.fresh = 0
        self.quiet_since = 0
        self.wait = 0  # ticks left in an open state
        self.failures: list[tuple[int, int]] = []  # the failures that the present state counts
        self.latest = -1
        self.clean = 0

    def time_passes(self, tick: int) -> None:
        limits, age, good = self.limits, tick - self.since, self.clean >= self.limits.clean_cycles
        if self.state == "closed" and self.level and tick - self.quiet_since >= limits.calm_ns:
            self.level, self.quiet_since = self.level - 1, tick
        elif self.state == "open" and not self.plugin and good and age >= self.wait:
            self.become("closed", tick)
        elif self.state == "open" and self.plugin and age >= self.wait:
            self.probe(tick)
        elif self.state == "half-open" and (
            (good and age >= limits.least_ns) or (age >= limits.probe_ns and self.clean)
        ):
            self.become("closed", tick)
        elif self.state == "half-open" and age >= limits.probe_ns:
            self.become("open", tick)

    def fail(self, tick: int, cycle: int) -> None:
        if self.plugin and self.state == "open":
            return
        recent = [known for when, known in self.failures if when > tick - self.limits.window_ns]
        if cycle in recent or cycle == self.latest:
            return
        self.failures.append((tick, cycle))
        self.latest, self.clean, self.quiet_since = cycle, 0, tick
        tripped = self.state == "closed" and len(recent) + 1 >= self.limits.errors
        if not tripped and self.state != "half-open":
            return
        untouched = self.plugin and self.state == "closed" and self.level == 0
        self.opened += 1
        self.level += 1
        if untouched:
            self.probe(tick)
        else:
            self.become("open", tick)

    def ok(self, tick: int, _cycle: int) -> None:
        if not (self.plugin and self.state == "open"):
            self.clean += 1

    def release(self, tick: int, _cycle: int) -> None:
        self.fresh += self.plugin and self.state == "open"
        self.become("closed", tick)
        self.level = 0

    def probe(self, tick: int) -> None:
        self.fresh += 1
        self.become("half-open", tick)

    def become(self, state: str, tick: int) -> None:
        self.state, self.since, self.failures, self.clean = state, tick, [], 0
        if state == "closed":
            self.quiet_since = tick
        doublings = self.level - (2 if self.plugin else 1)
        wait = self.limits.backoff_ns
        for _ in range(doublings):
            wait = min(2 * wait, self.limits.backoff_limit_ns)
        self.wait = min(wait, self.limits.backoff_limit_ns)
