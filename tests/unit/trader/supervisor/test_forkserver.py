from tests.support.processes.commands import PYTHON, run_command

START = """
import contextlib
from tickflag.common import jit

@contextlib.contextmanager
def cold(role, say):
    say()
    yield

jit.warming = cold
import tickflag.services.trader.supervisor.forkserver
"""


def test_a_first_start_says_that_it_compiles() -> None:
    """It takes so long that an operator would take it for a hang."""
    done = run_command([*PYTHON, "-c", START])
    assert (done.returncode, done.stdout) == (0, "trader: first start: compiling kernels, this takes some seconds\n")


BROKEN = """
import contextlib
from tickflag.common import jit

@contextlib.contextmanager
def broken(role, say):
    raise OSError(28, "No space left on device")
    yield

jit.warming = broken
import tickflag.services.trader.supervisor.forkserver
from tickflag.services.trader.worker import worker
print(worker.preloaded)
"""


def test_a_failed_preload_is_left_to_the_workers() -> None:
    """The fork server goes on: a worker that tries again, and fails, can tell the cause."""
    done = run_command([*PYTHON, "-c", BROKEN])
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
