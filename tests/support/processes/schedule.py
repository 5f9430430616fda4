"""The order in which several test processes run the tests: those that start engines come first.

Tests that start engines mostly wait, and each needs many times as long as a unit test. They begin first and leave the
short ones to fill the end, so that no process is idle while another still has minutes to go.
"""

from functools import cache

from xdist.scheduler import LoadScopeScheduling

from tests.support.documents.pages import ROOT

SLOW_FOLDERS = ("tests/faults/", "tests/integration/", "tests/race/", "tests/property/", "tests/model/")
"""The slowest first. All others follow."""
FOLDERS_OF_LONG_TESTS = ("tests/faults/", "tests/integration/")


class SlowestFirst(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hands out modules as a whole. In the folders of long tests it hands out single tests, unless a module, or all of
    its folder, shares a fixture."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        folder = path.rpartition("/")[0]
        if path.startswith(FOLDERS_OF_LONG_TESTS) and _shares_all(folder):
            return folder
        return nodeid if path.startswith(FOLDERS_OF_LONG_TESTS) and not _shares(path) else path


def rank(path: str) -> int:
    """The rank of a test file: the lower, the earlier."""
    return next((at for at, folder in enumerate(SLOW_FOLDERS) if path.startswith(folder)), len(SLOW_FOLDERS))


@cache
def _shares(path: str) -> bool:
    """Whether the module has a fixture that its tests share, such as a running engine."""
    return 'scope="module"' in (ROOT / path).read_text()


@cache
def _shares_all(folder: str) -> bool:
    """Whether the folder has a fixture that all tests in it share."""
    conftest = ROOT / folder / "conftest.py"
    return conftest.exists() and 'scope="package"' in conftest.read_text()
