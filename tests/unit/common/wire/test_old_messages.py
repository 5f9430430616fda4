"""Frames of the first version decode to the values that they had."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from tickflag.common.wire.codec import decode, decode_event
from tickflag.common.wire.messages import AnyMessage

_FILE = Path(__file__).resolve().parents[3] / "recordings" / "messages_v1.json"
OLD: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))


def test_every_kind_is_there() -> None:
    """The file holds a frame of each kind of message, and a compressed one."""
    kinds = {kind.model_fields["kind"].default for kind in get_args(AnyMessage)}
    assert {old["fields"]["kind"] for old in OLD} == kinds
    assert any(bytes.fromhex(old["frame"]).startswith(b"\x28\xb5\x2f\xfd") for old in OLD)


@pytest.mark.parametrize("old", OLD, ids=lambda old: old["what"])
def test_old_frames_decode_to_the_same_values(old: dict[str, Any]) -> None:
    """Every field of the frame keeps its value; later fields have their defaults."""
    frame = bytes.fromhex(old["frame"])
    message = decode_event(frame) if old["fields"]["kind"] == "swap" else decode(frame)
    _assert_holds(message.model_dump(), old["fields"])


def _assert_holds(value: Any, expected: Any) -> None:
    """`value` equals `expected`, and may have further fields."""
    if isinstance(expected, dict) and isinstance(value, dict):
        assert expected.keys() <= value.keys()
        for key, inner in expected.items():
            _assert_holds(value[key], inner)
    elif isinstance(expected, list) and isinstance(value, list):
        assert len(value) == len(expected)
        for one, inner in zip(value, expected, strict=True):
            _assert_holds(one, inner)
    else:
        assert (type(value), value) == (type(expected), expected)
