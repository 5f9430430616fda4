"""The control document and its version."""

from tickflag.services.collector.control import ControlState


def test_every_change_grows_the_version() -> None:
    """No two contents have the same version; setting the same content keeps it."""
    control = ControlState()
    versions = [control.version]
    control.resync.want("a")
    versions.append(control.version)
    control.resync.want("a")
    versions.append(control.version)
    control.resync.settle("a")
    versions.append(control.version)
    control.set_features({"audit": {"default": False}})
    versions.append(control.version)
    assert versions == sorted(set(versions))
    control.resync.settle("a")
    control.set_features({"audit": {"default": False}})
    assert control.version == versions[-1]


def test_version_and_tokens_grow_over_lives() -> None:
    """The next life begins above the journalled version, so no token is ever given twice."""
    first = ControlState()
    token = first.resync.want("a")
    second = ControlState(first.version)
    assert second.version > first.version
    assert second.resync.want("a") > token


def test_document_is_a_copy() -> None:
    """A document that is being sent does not change with the state."""
    control = ControlState()
    token = control.resync.want("a")
    document = control.document(time_ms=5)
    control.resync.settle("a")
    assert document.resync == {"a": token}
    assert document.state_version == token
    assert document.time_ms == 5


def test_incarnations_of_ignored_traders() -> None:
    """Each change is a new version; the same again is none, also where the caller goes on with its dict."""
    control, refused = ControlState(), {"rsi": 7}
    before = control.version
    control.set_incarnations(refused)
    control.set_incarnations(refused)
    assert control.version == before + 1
    refused["macd"] = 9
    assert control.document(0).incarnations == {"rsi": 7}
    control.set_incarnations(refused)
    assert (control.version, control.document(0).incarnations) == (before + 2, {"rsi": 7, "macd": 9})
