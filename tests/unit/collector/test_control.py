"""The control document and its version."""

from services.collector.control import ControlState


def test_every_change_grows_the_version() -> None:
    """No version stands for two contents; what changes nothing leaves it."""
    control = ControlState()
    versions = [control.version]
    control.want_resync("a")
    versions.append(control.version)
    control.want_resync("a")
    versions.append(control.version)
    control.settle_resync("a")
    versions.append(control.version)
    control.set_features({"audit": {"default": False}})
    versions.append(control.version)
    assert versions == sorted(set(versions))
    control.settle_resync("a")
    control.set_features({"audit": {"default": False}})
    assert control.version == versions[-1]


def test_version_and_tokens_grow_over_lives() -> None:
    """A next life begins above the journalled version, so no token is ever given twice."""
    first = ControlState()
    token = first.want_resync("a")
    second = ControlState(first.version)
    assert second.version > first.version
    assert second.want_resync("a") > token


def test_document_is_a_copy() -> None:
    """A document on its way does not change with the state."""
    control = ControlState()
    token = control.want_resync("a")
    document = control.document(time_ms=5)
    control.settle_resync("a")
    assert document.resync == {"a": token}
    assert document.state_version == token
    assert document.time_ms == 5
