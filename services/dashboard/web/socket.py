"""WebSocket endpoint: one viewer, from its greeting to its end.

    messages of the viewer --> hub.subscribe, unsubscribe, do
    slots <-- hub, from its thread; slots --> frames, one after the other; a frame that is not taken in 5 s ends it

A viewer that asks faster than it takes answers is not read from, so nothing piles up.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.hub.answer import dumps
from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.web.admission import TOKEN_WORDS, Caller
from tickflag.services.dashboard.web.guard import caller_of
from tickflag.services.dashboard.web.slots import Slots

SEND_S = 5.0
VIEWERS = 100
SUBSCRIPTIONS = 64
COMMANDS = 8
"""Of one viewer, that run at the same time."""
MESSAGE_BYTES = 65_536
MESSAGES_PER_S = 200
WHO = "dashboard"
_WAITING = 2 * SUBSCRIPTIONS
_MAX_ID = 2**53  # whole numbers of JavaScript


class Mistake(Exception):  # noqa: N818 - it is the viewer's
    """A message that is none of ours."""


class Viewers:
    """All that look now. In the loop's thread."""

    def __init__(self, hub: Hub, hello: Callable[[Caller], dict[str, Any]], hang_up: Callable[[Any], None]) -> None:
        self._hub, self._hello, self._hang_up = hub, hello, hang_up
        self._open: set[_Session] = set()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one viewer to its end."""
        if len(self._open) >= VIEWERS:
            await websocket.close(1013, f"{VIEWERS} viewers look already")
            return
        await websocket.accept()
        session = _Session(websocket, self._hub, caller_of(websocket.scope), self.greet)
        self._open.add(session)
        try:
            session.greet(self._hello(session.caller))
            if await session.run():
                return
            self._hang_up(websocket.scope.get("client"))
        finally:
            self._open.discard(session)
            session.close()

    def greet(self) -> None:
        """Tell every viewer how things stand."""
        for session in self._open:
            session.greet(self._hello(session.caller))


class _Session:
    def __init__(self, websocket: WebSocket, hub: Hub, caller: Caller, changed: Callable[[], None]) -> None:
        self.caller = caller
        self._websocket, self._hub, self._changed = websocket, hub, changed
        self._slots = Slots(caller.trusted)
        self._commands: set[asyncio.Task[None]] = set()

    def greet(self, hello: dict[str, Any]) -> None:
        self._slots.say(("hello", 0), dumps({"op": "hello", **hello}))

    async def run(self) -> bool:
        """Serve until the viewer goes; False where it did not take a frame in time."""
        tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return not any(isinstance(task.exception(), TimeoutError) for task in done)
        finally:
            for task in (*tasks, *self._commands):
                task.cancel()
            for task in (*tasks, *self._commands):
                with contextlib.suppress(asyncio.CancelledError, TimeoutError, WebSocketDisconnect, RuntimeError):
                    await task

    def close(self) -> None:
        self._slots.close()
        self._hub.drop(self._slots)

    async def _send(self) -> None:
        while True:
            frame = await self._slots.next()
            async with asyncio.timeout(SEND_S):
                if isinstance(frame, str):
                    await self._websocket.send_text(frame)
                else:
                    await self._websocket.send_bytes(frame)

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        began_s, count = loop.time(), 0
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            count += 1
            if loop.time() - began_s > 1:
                began_s, count = loop.time(), 1
            if count > MESSAGES_PER_S:
                await asyncio.sleep(began_s + 1 - loop.time())
            while self._slots.waiting > _WAITING:  # it does not take the answers to what it asked
                await asyncio.sleep(0.1)
            self._take(message.get("text"))

    def _take(self, text: str | None) -> None:
        identity = -1
        try:
            document = _parsed(text)
            identity = _identity(document)
            self._obey(identity, document)
        except Mistake as mistake:
            self._slots.refuse(identity, str(mistake))

    def _obey(self, identity: int, document: dict[str, Any]) -> None:
        match document.get("op"):
            case "subscribe":
                topic = _text(document, "topic")
                if not self.caller.readable:
                    raise Mistake(f"this needs the token: {TOKEN_WORDS}")
                if identity not in self._slots.subscribed and len(self._slots.subscribed) >= SUBSCRIPTIONS:
                    raise Mistake(f"at most {SUBSCRIPTIONS} subscriptions")
                self._slots.begin(identity)
                self._hub.subscribe(self._slots, identity, topic, _arguments(document))
            case "unsubscribe":
                self._slots.end(identity)
                self._hub.unsubscribe(self._slots, identity)
            case "do":
                what, arguments = _text(document, "what"), _arguments(document)
                if not self.caller.trusted:
                    raise Mistake(f"this needs the token: {TOKEN_WORDS}")
                if len(self._commands) >= COMMANDS:
                    raise Mistake(f"at most {COMMANDS} commands at the same time")
                task = asyncio.create_task(self._do(identity, what, arguments))
                self._commands.add(task)
                task.add_done_callback(self._commands.discard)
            case other:
                raise Mistake(f"`op` must be subscribe, unsubscribe or do, not {other!r}")

    async def _do(self, identity: int, what: str, arguments: dict[str, Any]) -> None:
        try:
            result = await asyncio.wrap_future(self._hub.do(what, arguments, WHO))
        except TickflagError as error:
            self._slots.refuse(identity, str(error))
            return
        self._slots.say(("done", identity), dumps({"op": "done", "id": identity, "result": result}))
        if what == "monitoring":
            self._changed()


def _parsed(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Mistake("a message is text, in JSON")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Mistake("the message is no JSON") from None
    if not isinstance(document, dict):
        raise Mistake("the message is no JSON object")
    return document


def _identity(document: dict[str, Any]) -> int:
    identity = document.get("id")
    if type(identity) is not int or not 0 <= identity <= _MAX_ID:
        raise Mistake("`id` must be a whole number from 0 on")
    return identity


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise Mistake(f"`{name}` must be a text")
    return value


def _arguments(document: dict[str, Any]) -> dict[str, Any]:
    arguments = document.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Mistake("`arguments` must be an object")
    return arguments
