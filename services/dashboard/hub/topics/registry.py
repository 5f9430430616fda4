"""All topics by name."""

from tickflag.services.dashboard.hub.refusals import Refused
from tickflag.services.dashboard.hub.topics import debug, flags, matches, overview, signals, symbols, traders
from tickflag.services.dashboard.hub.topics.topic import Topic

_ALL: tuple[Topic, ...] = (
    *overview.TOPICS,
    *matches.TOPICS,
    *symbols.TOPICS,
    *traders.TOPICS,
    *signals.TOPICS,
    *flags.TOPICS,
    *debug.TOPICS,
)
TOPICS = {topic.name: topic for topic in _ALL}


def topic_of(name: str) -> Topic:
    """The topic of this name. Raises Refused."""
    topic = TOPICS.get(name)
    if topic is None:
        raise Refused(f"there is no topic {name[:80]!r}: there are {', '.join(TOPICS)}")
    return topic
