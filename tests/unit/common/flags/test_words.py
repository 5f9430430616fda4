"""The fields of feature flags in plain words."""

from typing import Any

import pytest

from tickflag.common.flags import Flag, in_words

RAMP = {"started_ms": 1_751_371_205_000, "steps": [[0.5, 90.0, False], [25.0, 86_400.0, False], [100.0, 0.0, True]]}
STEPS = "0.5 % for 90s, 25 % for 1d, 100 % after approval; begun 2025-07-01 12:00:05 UTC"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("default", True, "on"),
        ("killed", False, "off"),
        ("percentage", None, ""),
        ("percentage", 0.0, "0 %"),
        ("percentage", 2.5, "2.5 %"),
        ("force", {}, ""),
        ("force", {"rsi": True, "spread": False}, "rsi on, spread off"),
        ("owners", {"desk": True}, "desk on"),
        ("arms", [], ""),
        (
            "arms",
            [{"name": "a", "share": 50.0, "value": True}, {"name": "b", "share": 49.5, "value": False}],
            "a 50 %, b 49.5 % off",
        ),
        ("ramp", None, ""),
        ("ramp", RAMP, STEPS),
        ("ramp", RAMP | {"approved_ms": [1]}, f"{STEPS}; approved once"),
        ("ramp", RAMP | {"approved_ms": [1, 2], "halted_ms": 3}, f"{STEPS}; approved 2 times; halted"),
        ("ramp", RAMP | {"steps": [[5.0, 5_400.0, True]]}, "5 % after approval for 90m; begun 2025-07-01 12:00:05 UTC"),
        ("ramp", RAMP | {"steps": [[5.0, 0.0, False], [6.0, 0.0, False]]},
         "5 % for 0s, 6 %; begun 2025-07-01 12:00:05 UTC"),
        ("description", "What it is for.", "What it is for."),
        ("description", "", ""),
    ],
)  # fmt: skip
def test_each_field(field: str, value: Any, words: str) -> None:
    """On and off, percentages, names, and the steps of a ramp as operators write them."""
    assert in_words(field, value) == words


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("ramp", {"steps": [], "started_ms": None}, "steps , started_ms nothing"),
        ("percentage", "many", "many"),
        ("force", [1.0, True, None], "1, on, nothing"),
        ("arms", [{"share": 1.0}], "share 1"),
        ("newer", {"a": [1, 2]}, "a 1, 2"),
    ],
)
def test_what_has_another_form_is_shown(field: str, value: Any, words: str) -> None:
    """A file that was edited, or written by another version, may hold anything in its history."""
    assert in_words(field, value) == words


def test_every_field_of_a_flag_has_words() -> None:
    """No field is shown as a structure of Python or JSON."""
    flag = Flag.model_validate(
        {
            "default": True, "force": {"rsi": True}, "owners": {"desk": False}, "arms": [{"name": "a", "share": 5.0}],
            "percentage": 0.5, "ramp": RAMP, "description": "text",
        }
    )  # fmt: skip
    for field, value in flag.model_dump(mode="json").items():
        assert not set(in_words(field, value)) & set("{}[]'\"()")
