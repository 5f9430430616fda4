"""What the documents have to say of settings and messages, read from the code."""

import ast
import inspect
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tickflag.common import settings
from tickflag.common.settings import PREFIX, Settings
from tickflag.common.settings_schema import collector, dashboard, engine, feed, trader
from tickflag.common.wire.messages import Record

ROOT_DEFAULT = "/dev/shm/tickflag-<uid>"
"""The documents' form of `runtime.root`'s default, which depends on the user."""

INSTANCE = "traders.<name>"
"""The documents' name for the block of any instance of a trader."""


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
        if self.block == INSTANCE:
            return f"{PREFIX}TRADERS__<NAME>__{self.key.upper()}"
        return PREFIX + "__".join(filter(None, (self.block, self.key))).upper()


def all_settings() -> list[Setting]:
    """Every setting in the order of the code."""
    meanings = attribute_docs(engine, feed, trader, collector, dashboard, settings)
    found = []
    for name, field in Settings.model_fields.items():
        block = field.annotation
        if name == "traders":
            name, block = INSTANCE, trader.TraderTable
        if isinstance(block, type) and issubclass(block, BaseModel):
            for key, inner in block.model_fields.items():
                default = _default(name, key, inner)
                found.append(Setting(name, key, default, limits(inner), meanings[block.__name__][key]))
        else:
            default = json.dumps(field.default)
            found.append(Setting("", name, default, limits(field), meanings["Settings"][name]))
    return found


def attribute_docs(*modules: ModuleType) -> dict[str, dict[str, str]]:
    """Class -> attribute -> the string below the attribute."""
    found: dict[str, dict[str, str]] = {}
    for node in (node for module in modules for node in ast.parse(inspect.getsource(module)).body):
        if isinstance(node, ast.ClassDef):
            docs = found[node.name] = {}
            for before, after in zip(node.body, node.body[1:], strict=False):
                match before, after:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        docs[name] = " ".join(text.split())
    return found


def limits(field: FieldInfo) -> str:
    """What a value must be beyond its type; empty where every value is allowed."""
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


def wire_rows(record: type[Record], first: int = 0) -> list[dict[str, str]]:
    """The fields of a message from the `first` on, as the rows of their table."""
    return [
        {
            "Place": str(place),
            "Field": name,
            "Type": wire_type(record.model_fields[name].annotation),
            "Unit": unit(name),
            "Default": _wire_default(record.model_fields[name]),
        }
        for place, name in enumerate(record.wire_fields)
        if place >= first
    ]


def wire_type(annotation: Any) -> str:
    """A field's type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return wire_type(arguments[0])
    if origin is Literal:
        return " or ".join(str(value) for value in arguments)
    if origin is list:
        return f"list of {wire_type(arguments[0])}"
    if origin is dict:
        return f"map of {wire_type(arguments[0])} to {wire_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation.__name__
    return {bool: "boolean", int: "whole number", float: "number", str: "text", Any: "anything"}[annotation]


def unit(field: str) -> str:
    """The unit that a field's name ends with."""
    for ending, found in (("_ns", "ns"), ("_ms", "ms"), ("_s", "s"), ("_bytes", "bytes")):
        if field.endswith(ending) or f"{ending}_" in field:
            return found
    return "bytes" if field.startswith("bytes_") else ""


def _wire_default(field: FieldInfo) -> str:
    if field.is_required() or get_origin(field.annotation) is Literal:
        return ""
    return json.dumps(field.get_default(call_default_factory=True))
