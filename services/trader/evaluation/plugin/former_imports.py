"""Former imports: the line to write where a trader imports `common` or `services` as top-level packages."""

import ast
import traceback
from importlib.util import find_spec
from pathlib import Path

import tickflag

PACKAGES = ("common", "services")
USERS = ("common.traderapi", "common.client", "services.testing")
"""The modules whose public names are in `tickflag` itself."""


def advice(error: BaseException, own_file: str = "") -> str:
    """What to write in place of the failed import, with its line; empty for any other error.

    The text names the file unless it is `own_file`. Where a user's own package `common` serves the import, nothing
    fails and no advice is given.
    """
    if not isinstance(error, ImportError) or not _is_former(error.name or ""):
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    if not frames:
        return ""
    file, statement = frames[-1].filename, _statement(frames[-1])
    if not statement:
        return ""
    before, now = ast.unparse(statement), _line_now(statement)
    if now in ("", before):  # none of the modules is one of ours
        return ""
    place = "" if file == own_file else f"{Path(file).name} "
    return f"{place}line {statement.lineno}: `{before}` is now `{now}`"


def _is_former(module: str) -> bool:
    """Whether `module` is one of ours, imported as a top-level module."""
    if module.split(".")[0] not in PACKAGES:
        return False
    try:
        return find_spec(f"tickflag.{module}") is not None
    except ModuleNotFoundError:  # its parent package does not exist either
        return False


def _statement(frame: traceback.FrameSummary) -> ast.Import | ast.ImportFrom | None:
    """The import statement that failed."""
    try:
        tree = ast.parse(Path(frame.filename).read_bytes())
    except (OSError, SyntaxError, ValueError):  # the file has changed since, or there never was one
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno == frame.lineno:
            return node
    return None


def _line_now(statement: ast.Import | ast.ImportFrom) -> str:
    if isinstance(statement, ast.Import):
        return ast.unparse(ast.Import([_module_now(alias) for alias in statement.names]))
    if statement.level or not statement.module:
        return ""
    public = [alias for alias in statement.names if _is_public(statement.module, alias.name)]
    others = [alias for alias in statement.names if alias not in public]
    lines = [("tickflag", public)] if public else []
    if others:
        lines.append((f"tickflag.{statement.module}", others))
    return "; ".join(ast.unparse(ast.ImportFrom(module, names, 0)) for module, names in lines)


def _module_now(alias: ast.alias) -> ast.alias:
    if not _is_former(alias.name):
        return alias
    return ast.alias("tickflag" if alias.name.startswith(USERS) else f"tickflag.{alias.name}", alias.asname)


def _is_public(module: str, name: str) -> bool:
    return module.startswith(USERS) and (name == "*" or name in tickflag.__all__)
