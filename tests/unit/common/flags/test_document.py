"""The document: what it holds, what it refuses, and its history."""

import json
from typing import Any

import pytest

from tickflag.common.errors import TickflagError
from tickflag.common.flags import BUILT_IN, Flag, FlagDocument, Ramp, RampStep, by_symbol, explained
from tickflag.common.flags.document import HISTORY


def _flag(**fields: Any) -> Flag:
    return Flag(**({"default": True} | fields))


def test_an_empty_document_has_the_built_in_flags() -> None:
    """The feature flags have their defaults; one goes by symbol."""
    document = FlagDocument()
    assert document.names() == list(BUILT_IN)
    assert {name: document.flag(name).default for name in document.names()} == {
        name: known.default for name, known in BUILT_IN.items()
    }
    assert [name for name in BUILT_IN if by_symbol(name)] == ["symbol_rate_limit"]
    assert not by_symbol("use_ema")


def test_an_unknown_flag_is_named_with_those_there_are() -> None:
    """Declared feature flags stand after the built-in ones."""
    document = FlagDocument(flags={"use_ema": _flag()})
    assert document.flag("use_ema") == _flag()
    with pytest.raises(TickflagError, match=r"no feature flag 'use_emma': known are per_symbol_tracking, .*, use_ema"):
        document.flag("use_emma")


def test_a_change_is_the_next_revision_and_in_the_history() -> None:
    """The history has who, when, and each field's old and new value."""
    first = FlagDocument().with_flags({"audit": _flag(percentage=5.0, killed=True)}, "ann", 1_000)
    assert first.revision == 1
    assert [tuple(change) for change in first.history] == [
        (1, 1_000, "ann", "audit", "killed", False, True),
        (1, 1_000, "ann", "audit", "percentage", None, 5.0),
    ]
    second = first.with_flags({"use_ema": _flag()}, "bob", 2_000)
    changes = [(change.flag, change.field, change.before, change.after) for change in second.history[2:]]
    assert changes == [
        ("audit", "killed", True, False),
        ("audit", "percentage", 5.0, None),
        ("use_ema", "default", None, True),
    ]
    third = second.with_flags({}, "bob", 3_000)
    assert ("use_ema", "default", True, None) in [(one.flag, one.field, one.before, one.after) for one in third.history]


def test_no_change_is_no_revision() -> None:
    """Naming a built-in flag as it is changes nothing."""
    document = FlagDocument()
    assert document.with_flags({"audit": _flag()}, "ann", 1) is document


def test_the_history_is_bounded() -> None:
    """The newest changes remain."""
    document = FlagDocument()
    for number in range(HISTORY + 5):
        document = document.with_flags({"audit": _flag(killed=number % 2 == 0)}, "ann", number)
    assert len(document.history) == HISTORY
    assert document.history[-1].revision == document.revision == HISTORY + 5


def test_json_and_back() -> None:
    """All that a document can hold survives."""
    flag = _flag(
        force={"rsi": False},
        owners={"desk": True},
        percentage=2.5,
        arms=({"name": "a", "share": 50, "value": False},),
        ramp=Ramp(started_ms=5, steps=(RampStep(5.0, 1.0, True), RampStep(10.0, 2.0)), approved_ms=(7,), halted_ms=9),
        description="text",
    )
    document = FlagDocument().with_flags({"use_ema": flag}, "ann", 1)
    assert FlagDocument.parsed(json.loads(document.model_dump_json())) == document


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"flags": {"audit": {"default": True, "percentage": 101}}}, "flag 'audit', field `percentage`: Input should"),
        ({"flags": {"audit": {"default": True, "percent": 1}}}, "flag 'audit', field `percent`: no such field"),
        ({"flags": {"audit": {}}}, "flag 'audit', field `default`: Field required"),
        (
            {"flags": {"audit": {"default": True, "ramp": {"started_ms": 0, "steps": [[1, -1]]}}}},
            "flag 'audit', field `ramp.steps.0.1`",
        ),
        (
            {"flags": {"audit": {"default": True, "arms": [{"name": "a", "share": 70}, {"name": "b", "share": 70}]}}},
            "flag 'audit': field `arms`: the shares",
        ),
        (
            {
                "flags": {
                    "audit": {"default": True, "percentage": 50, "ramp": {"started_ms": 0, "steps": [[25, 1]]}},
                }
            },
            "flag 'audit': field `ramp`: the first step is below the present 50 %",
        ),
        ({"flags": {"Audit": {"default": True}}}, "flag 'Audit': String should match"),
        (
            {"flags": {"symbol_rate_limit": {"default": True, "owners": {"desk": True}}}},
            "flag 'symbol_rate_limit', field `owners`: it goes by symbol",
        ),
        ({"version": 2}, "field `version`"),
        ({"revision": -1}, "field `revision`"),
        ({"flag": {}}, "field `flag`: no such field"),
        ([], "should be a valid dictionary"),
    ],
)
def test_a_wrong_document_is_refused_with_flag_and_field(content: Any, words: str) -> None:
    """The error names the first fault in words."""
    with pytest.raises(TickflagError) as error:
        FlagDocument.parsed(content)
    assert words in str(error.value)


def test_a_wrong_change_names_the_flag() -> None:
    """The name comes where an error knows the feature flag's own fields only; other errors pass."""
    with (
        pytest.raises(TickflagError, match=r"^flag 'audit', field `percentage`: .*less than or equal to 100"),
        explained("audit"),
    ):
        _flag().changed(percentage=101)
    with pytest.raises(KeyError), explained("audit"):
        raise KeyError


def test_a_ramp_sets_the_percentage() -> None:
    """The ramp counts from its first step on. Before that, and after its removal, the percentage of before counts."""
    ramp = Ramp(started_ms=1_000, steps=(RampStep(25.0, 10.0), RampStep(50.0, 0.0)))
    flag = _flag(percentage=10.0, force={"rsi": True}, ramp=ramp, description="text")
    assert [flag.percentage_at(time) for time in (999, 1_000, 11_000)] == [10.0, 25.0, 50.0]
    assert flag.rule_at(1_000).model_dump(exclude_defaults=True) == {
        "default": True,
        "percentage": 25.0,
        "force": {"rsi": True},
    }
    back = flag.changed(ramp=None)
    assert back.stage(11_000) is None
    assert back.percentage_at(11_000) == 10.0
