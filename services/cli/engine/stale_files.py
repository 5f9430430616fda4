"""Remains: what a service that did not end in order leaves in the runtime folder. The next start removes it as well."""

from common import sockets
from common.runtime import POINTER, Role, Runtime


def endpoints() -> list[str]:
    """Names of all socket files that services bind."""
    roles = (value for value in vars(sockets).values() if isinstance(value, sockets.Role))
    return sorted({role.endpoint for role in roles if role.binds})


def find(runtime: Runtime, service: str) -> list[str]:
    """Names of the files; where the service runs, they are its own."""
    names = [endpoint for endpoint in endpoints() if endpoint.startswith(f"{service}-")]
    if service == "feed":
        names = [*(path.name for path in runtime.segments()), POINTER, *names]
    return [name for name in names if (runtime.folder / name).exists()]


def remove(runtime: Runtime) -> list[str]:
    """Remove those of services that do not run; gives their names. Raises AlreadyRunning while a feed runs."""
    removed: list[str] = []
    if not runtime.folder.is_dir():
        return removed
    with Role(runtime, "feed"):  # whoever holds the role owns what it left, and no feed can start meanwhile
        removed += _removed(runtime, "feed")
    for service in ("collector", "trader"):
        if Role.holder(runtime, service) is None:
            with Role(runtime, service):
                removed += _removed(runtime, service)
    return removed


def _removed(runtime: Runtime, service: str) -> list[str]:
    names = find(runtime, service)
    for name in names:
        (runtime.folder / name).unlink(missing_ok=True)
    return names
