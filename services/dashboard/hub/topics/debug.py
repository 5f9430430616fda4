"""The topic `debug`: the debug ring, the segment's header and channels, the settings as resolved."""

from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic


def _debug(arguments: TopicArguments) -> Ready:
    arguments.end()

    def answer(sight: Sight, trusted: bool) -> Answer:
        header = sight.market.header()
        return Answer(
            {
                "ring": {"on": bool(header.get("debug")), "updates": sight.market.debug_ring()},
                "header": header,
                "channels": sight.market.channels(),
                "settings": sight.resolved if trusted else None,
            }
        )

    return answer


TOPICS = (Topic("debug", _debug, 0.5, private=True),)
