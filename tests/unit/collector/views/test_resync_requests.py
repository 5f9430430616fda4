"""The snapshots that are requested."""

from itertools import count

from tickflag.services.collector.views.resync_requests import ResyncRequests


def test_each_request_has_a_token_of_its_own() -> None:
    """A second request for the same trader has one too; a settled request leaves the others."""
    requests = ResyncRequests(count(5).__next__)
    assert [requests.want("a"), requests.want("b"), requests.want("a")] == [5, 6, 7]
    assert requests.tokens == {"a": 7, "b": 6}
    requests.settle("a")
    assert requests.tokens == {"b": 6}


def test_each_change_is_a_version() -> None:
    """A call that changes nothing makes no version."""
    versions = count(1)
    requests = ResyncRequests(versions.__next__)
    requests.settle("a")
    requests.want("a")
    requests.settle("a")
    requests.settle("a")
    assert next(versions) == 3
