"""What the documents have to say of the settings, taken from the code: keys, defaults, limits, meanings, variables."""

import ast
import inspect
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from common import settings
from common.settings import PREFIX, Settings

ROOT_DEFAULT = "/dev/shm/tickflag-<uid>"
"""How the documents write `runtime.root`'s default, which depends on who asks."""


@dataclass(frozen=True)
class Setting:
    """One key. `default` is JSON, which is TOML as well."""

    block: str
    key: str
    default: str
    limits: str
    meaning: str

    @property
    def name(self) -> str:
        return f"{self.block}.{self.key}" if self.block else self.key

    @property
    def variable(self) -> str:
        return PREFIX + "__".join(filter(None, (self.block, self.key))).upper()


def all_settings() -> list[Setting]:
    """Every setting in the order of the code."""
    meanings = attribute_docs(settings)
    found = []
    for name, field in Settings.model_fields.items():
        block = field.annotation
        if isinstance(block, type) and issubclass(block, BaseModel):
            for key, inner in block.model_fields.items():
                default = _default(name, key, inner)
                found.append(Setting(name, key, default, limits(inner), meanings[block.__name__][key]))
        else:
            default = json.dumps(field.default)
            found.append(Setting("", name, default, limits(field), meanings["Settings"][name]))
    return found


def attribute_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    """Class -> attribute -> the string below it."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            docs = found[node.name] = {}
            for before, after in zip(node.body, node.body[1:], strict=False):
                match before, after:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        docs[name] = " ".join(text.split())
    return found


def limits(field: FieldInfo) -> str:
    """What a value must be, beyond its type; empty where anything goes."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(get_args(annotation))
    if annotation is bool:
        return "true, false"
    bounds: dict[str, Any] = {}
    for limit in field.metadata:
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if hasattr(limit, name):
                bounds[name] = getattr(limit, name)
    if "min_length" in bounds:
        return f"{bounds['min_length']} to {bounds['max_length']} entries"
    least = f"above {_number(bounds['gt'])}" if "gt" in bounds else _number(bounds["ge"]) if "ge" in bounds else ""
    if "le" in bounds:
        return f"{least} to {_number(bounds['le'])}"
    return f"at least {least}" if least else ""


def _default(block: str, key: str, field: FieldInfo) -> str:
    if (block, key) == ("runtime", "root"):
        return json.dumps(ROOT_DEFAULT)
    return json.dumps(field.get_default(), default=str)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"
