"""Checks of an instance's files: folder, socket paths, space, trader files, keys, stale files. They change nothing."""

import shutil
import stat
from collections.abc import Iterator

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import MAX_SOCKET_PATH_BYTES, Role, Runtime
from tickflag.common.segment.layout import plan
from tickflag.common.settings import Settings
from tickflag.common.wire.allowlist import AllowList
from tickflag.common.wire.keys import load_pair
from tickflag.services.cli.engine.stale_files import endpoints, find_stale
from tickflag.services.cli.engine.start import BESIDE, SERVICES
from tickflag.services.cli.output import byte_size


def folder(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether the runtime folder is ours, and nobody else can read it."""
    path = runtime.folder
    if not path.exists():
        yield Diagnosis("folder", "ok", f"{path} is made at the first start")
        return
    try:
        list(path.iterdir())
    except OSError as error:
        yield Diagnosis("folder", "fail", f"{path}: {error.strerror}", "set `runtime.root` to a folder of your own")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode != 0o700:
        yield Diagnosis("folder", "warn", f"{path} has mode {mode:o}", "others may look in; the next start sets 700")
    else:
        yield Diagnosis("folder", "ok", f"{path}, for its owner only")


def socket_paths(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """How long the longest path of a socket is."""
    # A folder whose path is too long was refused earlier, with the settings.
    longest = max(len(str(runtime.folder / name)) for name in endpoints())
    yield Diagnosis("socket paths", "ok", f"{longest} of at most {MAX_SOCKET_PATH_BYTES} bytes")


def space(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether the segment fits, and can grow where it may."""
    needed = plan(settings.segment.capacity, settings.segment.depth, settings.intervals_s).total_bytes
    where = runtime.folder
    while not where.exists():
        where = where.parent
    free = shutil.disk_usage(where).free
    found = f"the segment takes {byte_size(needed)}, {where} has {byte_size(free)} free"
    if Role.holder(runtime, "feed") is not None:
        yield Diagnosis("space", "ok", f"the running feed has its {byte_size(needed)}; {byte_size(free)} more are free")
    elif free < needed:
        yield Diagnosis("space", "fail", found, "lower `segment.capacity` or `segment.depth`, or set `runtime.root`")
    elif settings.segment.growth and free < 3 * needed:
        yield Diagnosis("space", "warn", found, "too little to grow: it would take twice as much beside the old one")
    else:
        yield Diagnosis("space", "ok", found)


def plugins(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether there are trader files."""
    path = settings.trader.plugins
    files = [file for file in path.glob("*.py") if not file.name.startswith(("_", ".", "test_"))]
    if files:
        yield Diagnosis("plugins", "ok", f"{len(files)} trader files in {path.resolve()}")
    else:
        yield Diagnosis(
            "plugins", "warn", f"no trader file in {path.resolve()}", "put one there or set `trader.plugins`"
        )


def keys(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """The engine's key and the keys that it allows, where the engine is open to other machines."""
    if not settings.remote.commands and not settings.remote.signals:
        return
    try:
        load_pair(settings.server_key_path(), "remote.server_key", "`tickflag keys new-server` makes one")
    except TickflagError as error:
        yield Diagnosis("keys", "fail", str(error), "the collector does not start without")
    allowed = AllowList(settings.allowed_path())
    allowed.refresh()
    for trouble in allowed.trouble:
        yield Diagnosis("keys", "warn", trouble)
    if allowed.names:
        yield Diagnosis("keys", "ok", f"allowed are {', '.join(sorted(allowed.names.values()))}")
    else:
        yield Diagnosis("keys", "warn", "nobody is allowed from other machines", "`tickflag keys allow FILE`")


def stale_files(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether a crash left files of services that do not run."""
    left = [
        name
        for service in (*SERVICES, *BESIDE)
        if Role.holder(runtime, service) is None
        for name in find_stale(runtime, service)
    ]
    if left:
        yield Diagnosis("remains", "warn", f"a crash left {', '.join(left)}", "`tickflag segment clean`, or just start")
    else:
        yield Diagnosis("remains", "ok", "none")
