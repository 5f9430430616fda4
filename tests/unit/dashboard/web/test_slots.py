"""What waits for one viewer."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.web.slots import Slots

Test = Callable[[Slots], Coroutine[Any, Any, None]]


def run(test: Test) -> None:
    async def body() -> None:
        await asyncio.wait_for(test(Slots(trusted=True)), 30)

    asyncio.run(body())


async def data(slots: Slots) -> tuple[int, Any]:
    document = json.loads(await slots.next())
    return document["id"], document.get("data", document.get("error"))


def test_newer_replaces_older() -> None:
    """However many answers come, one of each subscription waits: the newest, in the order of the first that came."""

    async def test(slots: Slots) -> None:
        slots.begin(1)
        slots.begin(2)
        for at in range(1_000):
            slots.put(2, Answer({"at": at}))
            slots.put(1, Answer({"at": -at}))
        assert slots.waiting == 2
        assert await data(slots) == (2, {"at": 999})
        assert await data(slots) == (1, {"at": -999})

    run(test)


def test_answers_of_what_has_ended_are_dropped() -> None:
    """Of a subscription that is unknown or over, and of the one that had the id before."""

    async def test(slots: Slots) -> None:
        slots.put(1, Answer({"unknown": True}))
        slots.begin(1)
        slots.put(1, Answer({"old": True}))
        slots.refuse(1, "old")
        slots.begin(1)
        assert slots.waiting == 0
        slots.put(1, Answer({"old": True}))
        slots.end(1)
        slots.put(1, Answer({"late": True}))
        assert slots.waiting == 0
        assert slots.subscribed == set()
        slots.refuse(7, "no such topic")
        assert await data(slots) == (7, "no such topic")

    run(test)


def test_answers_come_from_any_thread() -> None:
    """One that waits for a frame is woken."""

    async def test(slots: Slots) -> None:
        slots.begin(3)
        thread = threading.Thread(target=lambda: slots.put(3, Answer({"from": "afar"})))
        waiting = asyncio.create_task(data(slots))
        await asyncio.sleep(0)
        thread.start()
        assert await waiting == (3, {"from": "afar"})
        thread.join()

    run(test)


def test_after_the_end_nothing_is_kept() -> None:
    """A hub that has not heard yet may go on; nothing fails, not after the loop's end either."""
    kept: list[Slots] = []

    async def test(slots: Slots) -> None:
        slots.begin(1)
        slots.put(1, Answer({}))
        slots.close()
        slots.put(1, Answer({}))
        slots.refuse(1, "late")
        assert slots.waiting == 0
        kept.append(Slots(trusted=False))
        kept[0].begin(1)

    run(test)
    kept[0].put(1, Answer({}))
    assert not kept[0].trusted


@pytest.mark.parametrize("texts", [{}, {"symbol": ["a", "b"]}])
def test_a_table_is_a_binary_frame(texts: dict[str, list[str]]) -> None:
    """As bytes, with the id of the subscription."""

    async def test(slots: Slots) -> None:
        slots.begin(5)
        slots.put(5, Answer({}, 2, {"score": [1.0, 2.0]}, texts))  # type: ignore[dict-item]
        frame = await slots.next()
        assert isinstance(frame, bytes)
        assert b'"id":5' in frame

    run(test)
