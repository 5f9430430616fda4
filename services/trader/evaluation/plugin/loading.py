"""Loading: imports a trader's code from its file or package, and binds its hooks to its settings.

Hooks are called directly: pluggy checks them here, but its dispatch costs more than a small trader's whole evaluation.
"""

import contextlib
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import invalidate_caches
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from pydantic import BaseModel, ValidationError

from tickflag.common.errors import PluginError
from tickflag.common.traderapi import PROJECT, Trader, hooks
from tickflag.services.trader.evaluation.plugin.former_imports import advice

ENTRY_POINTS = "tickflag.traders"
"""The group of entry points by which packages offer traders; each names a module with hooks."""

VERSION_DIGITS = 8
REASON_LIMIT = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Code:
    """A trader's imported code, checked against the hook specifications."""

    file: str
    """The file as tracebacks name it; empty where there is none."""
    label: str
    """The name in errors: the file's name, or entry point and module."""
    version: str
    """The first digits of the file's SHA-256, or the version of the package."""
    helpers: tuple[Path, ...]
    """Files of the plugin folder that the code had imported once it was loaded."""
    hooks: Mapping[str, pluggy.HookImpl]

    def fault(self, what: str) -> PluginError:
        return PluginError(f"{self.label}: {what}")

    def call(self, hook: str, **arguments: Any) -> Any:
        """The answer of a hook that is called while loading. Raises PluginError for whatever the hook raises."""
        try:
            return self.bound(hook, "", arguments)(None)
        except ValidationError as error:
            field, reason = _faults(error)[0]
            if error.errors()[0]["type"] == "extra_forbidden":
                near = get_close_matches(field, Trader.model_fields, 1)
                reason = "there is no such field" + (f": did you mean `{near[0]}`?" if near else "")
            raise self.fault(f"hook `{hook}`: `{field or 'Trader'}`: {reason}") from None
        except BaseException as error:  # a plugin may raise anything
            raise self.fault(f"hook `{hook}` raised {described(error, self.file)}") from error

    def bound(self, hook: str, varying: str, fixed: Mapping[str, Any]) -> Callable[[Any], Any]:
        """The hook as a function of its argument `varying` alone; the other arguments come from `fixed`."""
        function, wanted = self.hooks[hook].function, self.hooks[hook].argnames
        if wanted == (varying,):
            return function
        filled = {name: fixed[name] for name in wanted if name != varying}
        if varying not in wanted:
            return lambda _argument: function(**filled)
        if wanted[0] == varying:
            return partial(function, **filled)
        return lambda argument: function(**{varying: argument}, **filled)


def load_code(source: Path | EntryPoint) -> Code:
    """Import a trader's code. Raises PluginError naming the file or package and what is wrong with it."""
    loaded: object
    helpers: tuple[Path, ...] = ()
    if isinstance(source, Path):
        label, file = source.name, str(source)
        loaded, version = _imported(source)
        helpers = _helpers(source.parent)
    else:
        label = f"{source.name} ({source.value})"
        loaded, version = _from_package(source, label)
        file = getattr(loaded, "__file__", None) or ""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    try:
        manager.register(loaded, label)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{label}: {_misuse(manager, loaded) or error}") from None
    callers = manager.get_hookcallers(loaded) or []
    return Code(file, label, version, helpers, {caller.name: caller.get_hookimpls()[0] for caller in callers})


def _misuse(manager: pluggy.PluginManager, loaded: object) -> str:
    """Which function is no hook, or has an argument that its hook does not; empty where it is something else."""
    for name in dir(loaded):
        if manager.parse_hookimpl_opts(loaded, name) is None:
            continue
        spec = getattr(hooks, name, None)
        if spec is None:
            known = ", ".join(sorted(found for found in dir(hooks) if manager.parse_hookspec_opts(hooks, found)))
            return f"{name!r} is no hook: hooks are {known}"
        wanted, has = inspect.signature(spec).parameters, inspect.signature(getattr(loaded, name)).parameters
        for argument in has:
            if argument not in wanted:
                takes = " and ".join(f"`{one}`" for one in wanted)
                return f"hook `{name}` has no argument {argument!r}: name its arguments {takes}, or leave them out"
    return ""


def described(error: BaseException, file: str = "") -> str:
    """The error's class and text, and where in the trader's `file` it was raised. The error may be any object."""
    try:
        words = str(error)[:REASON_LIMIT]
    except BaseException:  # noqa: BLE001 - the text is the plugin's code, too
        words = "(without words: its `__str__` raises)"
    former = advice(error, file)  # for an import by a former name: the line to write
    if former:
        return former
    return f"{type(error).__name__}{words and ': '}{words}{_place(error, file) if file else ''}"


def _place(error: BaseException, file: str) -> str:
    """The innermost line of the traceback that lies in `file` or in a helper beside it; empty where there is none."""
    helpers, place = _helpers_beginning(Path(file).parent), ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if name == file:
            place = f" (line {line})"
        elif name.startswith(helpers):
            place = f" ({Path(name).name} line {line})"
    return place


def forget(source: Path | EntryPoint) -> None:
    """Forget the modules that this process imported for the code, so that the next load imports them anew: the helpers
    beside a file, or the modules of a package.

    Running traders keep the modules they have, so two traders of one process never share a helper's state.
    """
    if isinstance(source, Path):
        beginning = _helpers_beginning(source.parent)
        stale = [name for name, file in _module_files() if file.startswith(beginning)]
    else:
        package = source.module.partition(".")[0]
        stale = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    for name in stale:
        del sys.modules[name]
    invalidate_caches()


def own_settings(code: Code, where: str, given: Mapping[str, Any]) -> BaseModel | None:
    """The trader's own settings, validated by its model; None where it has no model.

    Raises PluginError. `where` is the block that holds the keys of `given`, as `traders.rsi_fast.settings`.
    """
    if "settings" not in code.hooks:
        askers = [name for name, impl in code.hooks.items() if "settings" in impl.argnames]
        if askers:
            raise code.fault(f"hook `{askers[0]}` takes `settings`, but there is no hook `settings` to say which")
        if given:
            raise PluginError(f"{where}: {code.label} has no settings of its own: remove {', '.join(map(str, given))}")
        return None
    model = code.call("settings")
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise code.fault("hook `settings` gives no pydantic model: return the class, as in `return MySettings`")
    known = {name for key, field in model.model_fields.items() for name in (key, field.alias) if name}
    if model.model_config.get("extra") != "allow" and given.keys() - known:
        unknown = ", ".join(f"{where}.{key}" for key in sorted(given.keys() - known))
        raise PluginError(f"{unknown}: no such setting; {code.label} has {', '.join(sorted(known)) or 'none'}")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise PluginError("; ".join(f"{where}{field and '.'}{field}: {why}" for field, why in _faults(error))) from None
    except BaseException as error:  # validators are the plugin's code, which may raise anything
        raise PluginError(f"{where}: {code.label} raised {described(error, code.file)}") from error


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    """Field and reason of each fault; the field is empty where the fault concerns no single field."""
    return [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]


def _imported(path: Path) -> tuple[ModuleType, str]:
    """The file as a module, and its version.

    The module is compiled from the very bytes that give the version. A cache of bytecode would be stale after two edits
    within a second.
    """
    spec = spec_from_file_location(f"tickflag_plugin_{path.stem}", path)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise PluginError(f"{path.name}: not a Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: helpers are found, and hide no other module
    try:
        content = path.read_bytes()
        exec(compile(content, path, "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:  # importing runs the plugin's code, which may raise anything
        raise PluginError(f"{path.name}: does not import: {described(error, str(path))}") from error
    return module, content_version(content)


def content_version(content: bytes) -> str:
    """The version of a trader file that declares no version."""
    return hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]


def _from_package(entry: EntryPoint, label: str) -> tuple[object, str]:
    try:
        return entry.load(), _package_version(entry)
    except BaseException as error:  # as above
        raise PluginError(f"{label}: does not import: {described(error)}") from error


def _package_version(entry: EntryPoint) -> str:
    """The version of the package that has the entry point; empty where it is not known.

    The entry point itself loses its package on the way to the worker process.
    """
    with contextlib.suppress(Exception):  # any installed package may be malformed
        for one in entry_points(group=entry.group, name=entry.name, value=entry.value):
            if one.dist is not None:
                return one.dist.version
    return ""


def _helpers(folder: Path) -> tuple[Path, ...]:
    """The helper files of the folder that this process has imported.

    Paths are compared as texts: resolving the paths of a thousand modules takes a tenth of a second.
    """
    beginning = _helpers_beginning(folder)
    return tuple(sorted({Path(file) for _, file in _module_files() if file.startswith(beginning)}))


def _helpers_beginning(folder: Path) -> str:
    """What the paths of all helpers of a plugin folder begin with."""
    return str(folder.resolve() / "_")


def _module_files() -> list[tuple[str, str]]:
    """Name and file of every module that has one."""
    files = [(name, getattr(module, "__dict__", {}).get("__file__")) for name, module in list(sys.modules.items())]
    return [(name, file) for name, file in files if isinstance(file, str)]
