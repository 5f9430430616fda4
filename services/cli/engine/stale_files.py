"""Stale files: what a crashed service left in the runtime folder. The service's next start removes them as well."""

from tickflag.common.runtime import POINTER, Role, Runtime, ServedAddress
from tickflag.common.wire import sockets


def endpoints() -> list[str]:
    """Names of the socket files that services bind."""
    roles = (value for value in vars(sockets).values() if isinstance(value, sockets.SocketRole))
    return sorted({role.endpoint for role in roles if role.binds})


def find_stale(runtime: Runtime, service: str) -> list[str]:
    """Names of the service's files that exist. Ask only for a service that does not run: a running one uses them."""
    names = [endpoint for endpoint in endpoints() if endpoint.startswith(f"{service}-")]
    if service == "dashboard":
        names.append(ServedAddress(runtime, service).path.name)
    if service == "feed":
        names = [*(path.name for path in runtime.segments()), POINTER, *names]
    return [name for name in names if (runtime.folder / name).exists()]


def remove_stale(runtime: Runtime) -> list[str]:
    """Remove the files of services that do not run; gives their names. Raises AlreadyRunning while a feed runs."""
    removed: list[str] = []
    if not runtime.folder.is_dir():
        return removed
    with Role(runtime, "feed"):  # so that no feed starts meanwhile
        removed += _removed(runtime, "feed")
    for service in ("collector", "trader", "dashboard"):
        if Role.holder(runtime, service) is None:
            with Role(runtime, service):
                removed += _removed(runtime, service)
    return removed


def _removed(runtime: Runtime, service: str) -> list[str]:
    names = find_stale(runtime, service)
    for name in names:
        (runtime.folder / name).unlink(missing_ok=True)
    return names
