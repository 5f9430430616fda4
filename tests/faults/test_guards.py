"""Whatever a trader does wrong stays in its process, comes to an end, and is named."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.harnesses.engine import Engine, write_trader
from tests.support.harnesses.workers import gone, line, pids, runs
from tests.support.markets.ledger import BY_ARRAY, TRADERS, Ledger, check_signals, settled
from tests.support.processes.commands import PYTHON
from tickflag.common.jit import cache_folder

EVALUATE = "@hookimpl\ndef evaluate(market):\n"
ZEROS = "    return np.zeros(len(market), bool)\n"


@pytest.fixture(autouse=True)
def _brisk(engine: Engine) -> None:
    """Let ended workers come back soon."""
    engine.env["TICKFLAG_TRADER__RESTART_LIMIT_MS"] = "200"


def _unharmed(engine: Engine, ledger: Ledger) -> None:
    """Check that the ledger's own traders have the right matches and never noticed anything."""
    engine.wait(lambda: settled(engine, ledger), what="the good traders' matches")
    check_signals(engine, ledger)
    for name in TRADERS:
        assert (engine.trader(name)["restarts"], engine.trader(name)["failures"]) == (0, 0)


def _wait_reasons(engine: Engine, reasons: dict[str, str]) -> None:
    """Wait until the supervisor's log has given each trader's reason, in the words of `tickflag traders`."""
    for name, words in reasons.items():
        engine.wait(
            lambda name=name, words=words: [  # type: ignore[misc] # a lambda's defaults
                one
                for one in engine.output("trader").splitlines()
                if "trader ended" in one and f"trader={name}" in one and words in one
            ],
            what=f"{name}: {words}",
        )


def test_what_is_raised(engine: Engine, ledger: Ledger) -> None:
    """Whatever a trader raises, it is failing with that reason, and its process goes on."""
    mute = "class Mute(BaseException):\n    def __str__(self): raise RuntimeError\n\n"
    bodies = {
        "exits": ("sys.exit(3)", "raised SystemExit: 3"),
        "interrupts": ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        "mute": ("raise Mute", "raised Mute: (without words: its `__str__` raises)"),
        "greedy": ("np.ones(1 << 50)", "raised MemoryError: Unable to allocate"),
        "large": ("np.ones(1 << 27)", "raised MemoryError: Unable to allocate 1.00 GiB"),
        "vast": ("return np.zeros(1 << 22, bool)", "gave the shape (4194304,); wanted ("),
        "garbage": ("return [[object()], [{}, 1]]", "gave a list; wanted a bool or float array"),
        "writes": ("market.last[0] = 1.0", "raised ValueError: assignment destination is read-only"),
    }
    for name, (body, _) in bodies.items():
        write_trader(engine.plugins, name, f"{mute}{EVALUATE}    {body}\n{ZEROS}")
    engine.env["TICKFLAG_TRADER__MEMORY_LIMIT_MB"] = "64"
    engine.start()
    for name, (_, words) in bodies.items():
        engine.wait(lambda name=name: engine.trader(name)["state"] == "failing", what=f"{name} is failing")  # type: ignore[misc] # a lambda's default
        assert words in engine.trader(name)["error"]
        assert line(engine, name)["restarts"] == 0
    shown = engine.cli("traders").stdout
    assert "raised SystemExit: 3" in shown
    _unharmed(engine, ledger)


def test_what_ends_or_hangs_a_process(engine: Engine, ledger: Ledger) -> None:
    """An ended or hanging process is started again; the reason says how it ended, and where."""
    late = "a cycle took longer than 3 s (`trader.deadline_s`)"
    segment = (
        "    maps = [one for one in open('/proc/self/maps') if '.seg' in one]\n"
        "    ctypes.memset(int(maps[0].split('-')[0], 16), 0, 4096)\n"
    )
    bodies = {
        "deaf": ("    signal.signal(signal.SIGABRT, signal.SIG_IGN)\n    while True: pass\n", late),
        "deep": ("    all(itertools.repeat(1))\n", f"{late}, at deep.py line"),
        "overwrites": (segment, "ended by SIGSEGV, at overwrites.py line"),
        "closes": ("    os.closerange(3, 200)\n", "ended "),
        "patches": ("    time.monotonic_ns = None\n", "ended with status 1: TypeError: 'NoneType' object"),
        "leaves": ("    print('last words')\n    os._exit(7)\n", "ended with status 7"),
        "stuck": ("", "loading took longer than 3 s (`trader.deadline_s`), at stuck.py line"),
    }
    if not os.path.isdir("/proc/self"):
        del bodies["overwrites"]
    for name, (body, _) in bodies.items():
        load = "while True: pass\n" if name == "stuck" else ""
        write_trader(engine.plugins, name, f"import ctypes, itertools, signal\n{load}{EVALUATE}{body}{ZEROS}")
    engine.env["TICKFLAG_TRADER__DEADLINE_S"] = "3"  # no less: some of these keep the processors busy
    engine.start()
    _wait_reasons(engine, {name: words for name, (_, words) in bodies.items()})
    assert "deep.py" in engine.cli("logs", "deep").stdout
    assert "last words" in engine.cli("logs", "leaves", "--lines", "1000").stdout
    _unharmed(engine, ledger)
    assert engine.stop("trader") == 0
    engine.wait(lambda: not [one for one in engine.processes() if one.pid not in _services(engine)], 5.0, "all ended")


def test_a_loop_that_never_ends_has_its_reason(engine: Engine, ledger: Ledger) -> None:
    """`tickflag traders` and `tickflag status` say why the trader is silent, before it is ended and afterwards."""
    write_trader(engine.plugins, "loops", f"{EVALUATE}    while True: pass\n")
    engine.env |= {"TICKFLAG_COLLECTOR__STALE_AFTER_MS": "1000", "TICKFLAG_TRADER__DEADLINE_S": "8"}
    engine.start()
    told = "a cycle is at work for more than 2 s, and is ended at 8 s (`trader.deadline_s`)"
    engine.wait(lambda: engine.trader("loops")["state"] == "stale" and told in engine.trader("loops")["reason"])
    engine.wait(lambda: told in engine.cli("traders").stdout, what="the reason is shown")
    ended = "a cycle took longer than 8 s"
    engine.wait(lambda: line(engine, "loops")["restarts"], what="the worker was ended")
    engine.wait(lambda: ended in engine.cli("status").stdout, what="the reason stays")
    _unharmed(engine, ledger)


def test_a_failed_start_names_its_cause(engine: Engine, tmp_path: Path) -> None:
    """Where the kernels cannot be loaded, each trader's reason is the cause, and no word on the fork server hides
    it."""
    engine.start("feed", "collector")
    cache = tmp_path / "cache"
    env = {"XDG_CACHE_HOME": str(cache)}
    (cache / "tickflag" / cache_folder().name / "lock").mkdir(parents=True)
    for folder in (cache / "tickflag", cache / "tickflag" / cache_folder().name):
        folder.chmod(0o700)
    engine.start("trader", env=env)

    def reasons() -> list[str]:
        return [one["reason"] for one in engine.request("trader", "traders")]

    engine.wait(lambda: reasons() and all("IsADirectoryError" in one for one in reasons()), what="all name the cause")
    assert "fork server ended" not in engine.output("trader")


def test_too_few_descriptors_for_all(engine: Engine, ledger: Ledger) -> None:
    """The service starts the traders that its limit of open files has room for, names the rest with what to do, and
    takes the place of those that end. None of those that run is harmed."""
    for number in range(20):
        write_trader(engine.plugins, f"zz{number:02}", f"{EVALUATE}{ZEROS}")
    engine.start("feed", "collector")
    limit = ("sh", "-c", 'ulimit -n "$0" && exec "$@"', "100")
    engine.spawn("trader", *limit, *PYTHON, "-m", "tickflag.services.trader")

    def states() -> dict[str, str]:
        return {one["name"]: one["state"] for one in engine.request("trader", "traders")}

    engine.wait(lambda: {"running", "restarting"} == set(states().values()) and len(states()) >= 20)
    waiting = [name for name, state in states().items() if state == "restarting"]
    engine.wait(lambda: all(runs(engine, name) for name in states().keys() - set(waiting)))
    for name in waiting:
        assert "the limit of 100 open files has no room for another worker" in line(engine, name)["reason"]
        assert f"trader={name}" in engine.output("trader") or f"trader={name}.py" in engine.output("trader")
    assert "Traceback" not in engine.output("trader")
    _unharmed(engine, ledger)
    for name in [name for name in states() if name not in waiting and name not in TRADERS]:
        engine.request("trader", "stop", trader=name)
    engine.wait(lambda: runs(engine, waiting[0]), what="a waiting trader runs")


def _services(engine: Engine) -> list[int]:
    return [engine.pid(name) for name in ("feed", "collector")]


def test_what_does_no_harm(engine: Engine, ledger: Ledger) -> None:
    """A worker's working folder, standard streams, signal handlers and threads are the trader's own business."""
    body = """
    import signal, threading
    os.chdir("/")
    os.close(0), os.close(1), os.close(2)
    sys.stdout = None
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=sys.exit).start()
    """
    write_trader(engine.plugins, "careless", f"{body}{BY_ARRAY}")
    engine.start()
    engine.wait(lambda: settled(engine, ledger, (*TRADERS, "careless")), what="matches equal a full evaluation")
    check_signals(engine, ledger, (*TRADERS, "careless"))
    assert line(engine, "careless")["restarts"] == 0
    path = engine.plugins / "careless.py"
    path.write_text(path.read_text() + "# edited\n")
    version = line(engine, "careless")["trader_version"]
    engine.wait(lambda: runs(engine, "careless", version), what="the edit runs")
    assert engine.matches("careless") == ledger.matches()
    assert engine.stop("trader") == 0


def test_memory(engine: Engine, ledger: Ledger) -> None:
    """A trader that leaks, and one whose compiled code fills the memory, are ended and named, with where they were. In
    a group nobody is to blame."""
    leak = f"kept = []\n{EVALUATE}    kept.append(np.ones(1 << 21))\n{ZEROS}"
    native = f"""
    import ctypes
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p

    {EVALUATE.replace(chr(10), chr(10) + "    ")}
        for _ in range(10):
            ctypes.memset(malloc(ctypes.c_size_t(10 << 20)), 1, 10 << 20)
        while True: pass
    """
    write_trader(engine.plugins, "leaks", leak, every=0.02)
    write_trader(engine.plugins, "native", native)
    engine.env["TICKFLAG_TRADER__MEMORY_LIMIT_MB"] = "64"
    tables = '[leaks]\ngroup = "m"\n[friend]\nsource = "by_array"\ngroup = "m"\n'
    (engine.folder / "configs" / "traders.toml").write_text(tables + "[by-array]\nsource = 'by_array'\n")
    engine.start()
    took = "MB of memory, of 64 (`trader.memory_limit_mb`)"
    _wait_reasons(engine, {"leaks": took, "friend": "its group 'm' took", "native": f"{took}, at native.py line"})
    _unharmed(engine, ledger)


def test_children(engine: Engine, ledger: Ledger) -> None:
    """A trader's child processes are named, and end with their worker however that ends. A child that returns from the
    hook ends at once."""
    born = engine.folder / "born"
    body = f"""
        import signal, subprocess
        born = open({str(born)!r}, "a")

        def bear():
            pid = os.fork()
            if not pid:
                os.setsid()
                signal.pause()
            if not os.fork():
                return
            print(pid, subprocess.Popen(["sleep", "1000"]).pid, file=born, flush=True)

        {EVALUATE.replace(chr(10), chr(10) + "        ")}
            if not evaluate.__dict__.setdefault("done", False):
                evaluate.done = True
                bear()
            return np.floor(market.last * 100) % 3 == 0, market.last
    """
    write_trader(engine.plugins, "parent", body)
    hung = f"import subprocess\n{EVALUATE}    subprocess.Popen(['sleep', '1000'])\n    while True: pass\n"
    write_trader(engine.plugins, "hung", hung)
    engine.start()
    every = (*TRADERS, "parent")
    engine.wait(lambda: settled(engine, ledger, every), what="matches equal a full evaluation")
    check_signals(engine, ledger, every)
    engine.wait(lambda: "child processes: 3" in line(engine, "parent")["reason"], what="they are named")
    engine.wait(lambda: "child processes: 3" in engine.cli("traders").stdout, what="and shown")

    def children() -> list[int]:
        return [int(pid) for pid in born.read_text().split()]

    first = children()
    assert not any(map(gone, first))
    (worker,) = pids(engine, "parent")
    os.kill(worker, signal.SIGKILL)
    engine.wait(lambda: all(map(gone, first)), 5.0, "the children ended with the worker")
    engine.wait(lambda: len(children()) == 4 and settled(engine, ledger, every), what="it is started again")
    (hanging,) = pids(engine, "hung")
    engine.wait(lambda: "child processes: 1" in line(engine, "hung")["reason"], what="one has a child and hangs")
    last = [*children(), *(child.pid for child in psutil.Process(hanging).children())]
    engine.kill("trader")
    engine.wait(lambda: all(map(gone, last)), 5.0, "the children ended with the supervisor")
    engine.start("trader")  # replaces the killed supervisor, and removes what that left
    engine.wait(lambda: engine.request("trader", "supervisor"), what="the next one answers")


def test_output(engine: Engine, ledger: Ledger) -> None:
    """A gigabyte of output neither fills the disk nor ends the trader; the log has its last words."""
    body = f"""
        block = b"x" * 1023 + b"\\n"
        block *= 1024
        calls = 0

        {EVALUATE.replace(chr(10), chr(10) + "        ")}
            global calls
            calls += 1
            if calls == 1:
                for _ in range(1024):
                    os.write(1, block)
                print("that was all", flush=True)
            return np.floor(market.last * 100) % 3 == 0, market.last
    """
    write_trader(engine.plugins, "floods", body)
    engine.env |= {"TICKFLAG_TRADER__LOG_LIMIT_BYTES": "65536", "TICKFLAG_TRADER__DEADLINE_S": "100"}
    engine.start()
    path = engine.runtime.logs / "floods.log"
    largest = 0

    def ended() -> bool:
        nonlocal largest
        largest = max(largest, path.stat().st_size if path.exists() else 0)
        return "that was all" in engine.trader_log("floods")

    engine.wait(ended, what="all is written")
    assert 0 < largest <= 65536
    assert "cut: longer than `trader.log_limit_bytes`" in engine.trader_log("floods")
    engine.wait(lambda: settled(engine, ledger, (*TRADERS, "floods")), what="matches equal a full evaluation")
    assert line(engine, "floods")["restarts"] == 0
    _unharmed(engine, ledger)


def test_threads_and_slowness(engine: Engine, ledger: Ledger) -> None:
    """Too many threads and slow hooks are reported with numbers, while the trader goes on."""
    crowd = f"import threading\nstop = threading.Event()\n{EVALUATE}    if threading.active_count() < 9: " + (
        "[threading.Thread(target=stop.wait, daemon=True).start() for _ in range(9)]\n"
    )
    write_trader(engine.plugins, "crowd", crowd + ZEROS)
    write_trader(engine.plugins, "slow", f"{EVALUATE}    time.sleep(0.02)\n{ZEROS}")
    engine.env["TICKFLAG_TRADER__THREAD_LIMIT"] = "8"
    engine.start_feed_last(env={"TICKFLAG_TRADER__SLOW_SHARE": "0.5"})
    engine.wait(
        lambda: "9 threads of its own, of 8 (`trader.thread_limit`)" in engine.trader("crowd")["reason"], what="threads"
    )
    engine.wait(lambda: "slow: a cycle takes" in engine.trader("slow")["reason"], what="slow")
    reason = engine.trader("slow")["reason"]
    assert " of 10 ms, with " in reason
    assert "symbols: " in reason
    assert engine.trader("slow")["cost_ns"] > 20_000_000
    assert reason.split(" ms")[0] in engine.cli("traders").stdout
    _unharmed(engine, ledger)
    for name in ("crowd", "slow"):
        told = [
            one
            for one in engine.output("trader").splitlines()
            if "exceeds its share" in one and f"trader={name}" in one
        ]
        assert len(told) == 1
