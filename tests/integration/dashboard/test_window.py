"""What a viewer gets follows its window, not the number of matches: over a real WebSocket, from a real hub."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.harnesses.dashboard import Site, served
from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import allowed_s
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.settings import load
from tickflag.services.dashboard.hub import lookout
from tickflag.services.dashboard.hub.engine.collector_view import CollectorView
from tickflag.services.dashboard.hub.hub import Hub

WINDOW = {"first": 40, "count": 48, "sort": [["score", "desc"]]}
FRAMES = 6


class FullView(CollectorView):
    """`rows` matches, whose scores all move at each step."""

    rows = 0

    def step(self, now_ms: float) -> bool:
        if not self.ready:
            traders = max(1, self.rows // 5_000)
            scores = {f"SYMBOL{number:04}": float(number) for number in range(self.rows // traders)}
            self.table.replace({f"trader-{number}": scores for number in range(traders)})
            self.ready = self.settled = True
        self.table.score[: self.table.count] += 1
        return True


@pytest.fixture(autouse=True)
def _full_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "CollectorView", FullView)
    monkeypatch.setenv("TICKFLAG_CONFIG", str(tmp_path))


def _seen(rows: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], int]]:
    """Header and length of each frame that a viewer of the window gets, where there are so many matches."""
    log: Any = RecordedLog()
    monkeypatch.setattr(FullView, "rows", rows)
    with runtime_folder() as runtime:
        monkeypatch.setenv("TICKFLAG_RUNTIME__ROOT", str(runtime.folder.parent))
        monkeypatch.setenv("TICKFLAG_INSTANCE", runtime.folder.name)
        with Hub(load(), runtime, log) as hub:
            typed: Any = hub
            with served(typed) as site:
                return _frames(site)


def _frames(site: Site) -> list[tuple[dict[str, Any], int]]:
    found: list[tuple[dict[str, Any], int]] = []
    with site.viewer(max_size=None) as viewer:
        viewer.recv(allowed_s(60))
        viewer.send(json.dumps({"op": "subscribe", "id": 1, "topic": "matches", "arguments": WINDOW}))
        while len(found) < FRAMES:
            frame = viewer.recv(allowed_s(60))
            assert isinstance(frame, bytes)
            found.append((json.loads(frame[4 : 4 + int.from_bytes(frame[:4], "little")]), len(frame)))
    return found


def test_bytes_follow_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 500 and of 50,000 matches, all of which change, a viewer gets the rows of its window and as many bytes."""
    few, many = (_seen(rows, monkeypatch) for rows in (500, 50_000))
    for frames, total in ((few, 500), (many, 50_000)):
        for header, _ in frames:
            assert (header["rows"], header["data"]["total"], header["data"]["first"]) == (48, total, 40)
    lengths = [[length for _, length in frames] for frames in (few, many)]
    names = sum(len(f',"trader-{number}"') for number in range(10))  # the header names every trader
    assert max(lengths[1]) - min(lengths[0]) <= names + 16
