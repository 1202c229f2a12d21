"""The settings of the installed plugins as a page of documentation and as commented YAML.

Texts come from where the setting is declared: a field's description, or the string under it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from infera.config.schema import BlockHead, NodeSettings, StateSettings
from infera.kernel.registry import LAYERS, by_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from infera.kernel.registry import Registry

_WIDTH = 100


ENVIRONMENT = {
    "INFERA_HOME": "Folder of keys and state; beats `node.home`, is beaten by `--home`.",
    "INFERA_PLUGINS": "Comma-separated entry points to load; empty loads none, unset all.",
    "INFERA_KEY_PASSPHRASE": "Locks new key files with this passphrase, and opens locked ones.",
    "INFERA_EXT": "`0` while installing leaves out the C extension, while running does not use it.",
}
"""Every environment variable INFERA reads."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `default` is YAML; empty if the key is required."""

    name: str
    type: str
    default: str
    limits: str
    text: str
    inner: tuple[Setting, ...] = ()


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """The settings of a model, nested ones under theirs."""
    docs = _attribute_docs(model)
    found = []
    for name, info in model.model_fields.items():
        inner = tuple(s for nested in _nested(info.annotation) for s in settings_of(nested))
        text = " ".join((info.description or docs.get(name, "")).split())
        found.append(
            Setting(name, _type(info.annotation), _default(info), _limits(info), text, inner)
        )
    return found


def settings_page(registry: Registry) -> str:
    """docs/settings.md"""
    lines = [
        "# Settings",
        "",
        "Every key of a node's YAML, for the plugins that come with INFERA. Written by",
        "`infera config reference > docs/settings.md`; texts live beside the settings in the code.",
        "",
        "A value `${env:NAME}` or `${file:PATH}` is resolved in settings of type `secret` only.",
        "",
        "## node",
        "",
        _intro(NodeSettings),
        *_table(settings_of(NodeSettings)),
        "## state",
        "",
        _intro(StateSettings),
        *_table(settings_of(StateSettings)),
        "## Every block",
        "",
        _intro(BlockHead),
        *_table(settings_of(BlockHead)),
    ]
    for layer in LAYERS:
        lines += [f"## {layer}", ""]
        for kind in by_name(registry.kinds[layer]):
            lines += [f"### kind: {kind.kind}", "", _intro(kind.config_model)]
            lines += _table(settings_of(kind.config_model))
    lines += ["## Environment", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items()]
    return "\n".join(lines).rstrip() + "\n"


def sample_block(model: type[BaseModel], kind: str, given: dict[str, Any]) -> str:
    """A block with every key: those `given` as they are, the others commented out with defaults."""
    lines = [f"  - kind: {kind}"]
    given = dict(given)
    if "name" in given:
        lines.append(f"    name: {given.pop('name')}")
    for setting in settings_of(model):
        if setting.name == "name":
            continue
        lines.append("")
        lines.extend(f"    # {line}" for line in textwrap.wrap(_sentence(setting), _WIDTH - 6))
        if setting.name in given:
            lines.extend(f"    {line}" for line in _yaml(setting.name, given[setting.name]))
        else:
            lines.append(f"    # {setting.name}: {setting.default}".rstrip())
    return "\n".join(lines)


def _sentence(setting: Setting) -> str:
    """What the setting means, and its limits."""
    if not setting.limits:
        return setting.text
    return f"{setting.text} ({setting.limits})" if setting.text else setting.limits


def _yaml(name: str, value: object) -> list[str]:
    text = yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return str(text).rstrip().splitlines()


def _intro(model: type[BaseModel]) -> str:
    return f"{inspect.cleandoc(model.__doc__ or '').splitlines()[0]}\n"


def _table(settings: list[Setting]) -> list[str]:
    if not settings:
        return ["No settings.", ""]
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for path, setting in _flat(settings, ""):
        default = f"`{setting.default}`" if setting.default else "required"
        rows.append(f"| `{path}` | {setting.type} | {default} | {_cell(_sentence(setting))} |")
    return [*rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _flat(settings: list[Setting] | tuple[Setting, ...], at: str) -> Iterator[tuple[str, Setting]]:
    for setting in settings:
        path = f"{at}{setting.name}"
        yield path, setting
        many = "[]." if setting.type.startswith("list") else "."
        many = ".*." if setting.type.startswith("mapping") else many
        yield from _flat(setting.inner, path + many)


def _type(annotation: Any) -> str:
    """A type in the words of YAML."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(a) for a in args if a is not type(None)))
    if origin is Literal:
        return " or ".join(f"`{a}`" for a in args)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_type(args[0])}" if args else "list"
    if origin is dict:
        return f"mapping to {_type(args[1])}"
    if origin is not None and args:  # Annotated
        return _type(args[0])
    if not isinstance(annotation, type):
        return str(annotation)
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    if annotation in names:
        return names[annotation]
    if issubclass(annotation, SecretStr):
        return "secret"
    if issubclass(annotation, BaseModel):
        return "settings"
    if issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    return "path" if "Path" in annotation.__name__ else annotation.__name__


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return ""
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return ""
    return (
        str(
            yaml.safe_dump(_plain(value), default_flow_style=True, allow_unicode=True, width=10_000)
        )
        .removesuffix("\n")
        .removesuffix("\n...")
        .strip()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _limits(info: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return ", ".join(
        f"{word} {getattr(limit, key)}"
        for limit in info.metadata
        for key, word in words.items()
        if getattr(limit, key, None) is not None
    )


def _nested(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _nested(arg)]


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The strings under a class's fields, its bases' included."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        except (OSError, TypeError, SyntaxError):
            continue
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[field.target.id] = inspect.cleandoc(after.value.value)
    return docs
