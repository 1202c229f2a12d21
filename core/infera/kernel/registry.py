"""The kinds a node can be composed of, by layer, as the loaded plugins registered them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from infera.errors import PluginError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import click

    from infera.abc import Component
    from infera.checks import HealthCheck
    from infera.context import Context

LAYERS = ("chains", "verifiers", "engines", "roles", "fronts")
"""Configuration sections in the order in which they start."""

KERNEL_KEYS = ("kind", "name", "optional")
"""Keys of a block that belong to the kernel."""

_KIND = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Kind:
    """One registered kind: the word for it, how to build it, and what its block may say."""

    layer: str
    kind: str
    factory: Callable[[Any, Context], Component]
    config_model: type[BaseModel]
    plugin: str


@dataclass(frozen=True, slots=True)
class MissingPlugin:
    """An installed plugin that could not be imported; fatal only when its kind is used."""

    name: str
    reason: str
    extra: str = ""

    def __str__(self) -> str:
        how = f": pip install 'infera[{self.extra}]'" if self.extra else ""
        return f"plugin {self.name!r} could not be imported ({self.reason}){how}"


@dataclass(slots=True)
class Registry:
    kinds: dict[str, dict[str, Kind]] = field(default_factory=lambda: {n: {} for n in LAYERS})
    checks: dict[str, HealthCheck] = field(default_factory=dict)
    commands: dict[str, click.Command] = field(default_factory=dict)
    missing: tuple[MissingPlugin, ...] = ()
    _owners: dict[tuple[str, str], str] = field(default_factory=dict)

    def find(self, layer: str, kind: str) -> Kind:
        """The kind, or a `PluginError` that says what was probably meant."""
        found = self.kinds[layer].get(kind)
        if found is None:
            raise PluginError(
                f"no plugin brings a {layer[:-1]} of kind {kind!r}",
                code="kind_unknown",
                hint=self.suggest(layer, kind),
            )
        return found

    def suggest(self, layer: str, kind: str) -> str:
        """What to do about an unknown kind."""
        for missing in self.missing:
            if missing.name == kind:
                return str(missing)
        elsewhere = [other for other, kinds in self.kinds.items() if kind in kinds]
        if elsewhere:
            return f"{kind!r} is one of the {elsewhere[0]}; move it under `{elsewhere[0]}:`"
        hint = did_you_mean(kind, self.kinds[layer])
        return "; ".join([hint, *map(str, self.missing)]) if "did you mean" not in hint else hint

    def add_kind(self, item: Kind) -> None:
        where = f"plugin {item.plugin!r} ({location(item.factory)})"
        if not _KIND.fullmatch(item.kind):
            raise PluginError(
                f"{where}: kind {item.kind!r} is not in snake_case", hint="use [a-z][a-z0-9_]*"
            )
        if not callable(item.factory):
            raise PluginError(f"{where}: the factory of {item.kind!r} cannot be called")
        model: Any = item.config_model  # whatever the plugin passed
        if not inspect.isclass(model) or not issubclass(model, BaseModel):
            raise PluginError(
                f"{where}: the config model of {item.kind!r} is no pydantic model",
                hint="pass the class itself, not an instance",
            )
        where = f"plugin {item.plugin!r} ({location(model)})"
        if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
            raise PluginError(
                f"{where}: the config model of {item.kind!r} allows unknown keys or is not frozen",
                hint='add model_config = ConfigDict(extra="forbid", frozen=True)',
            )
        if clash := {"kind", "optional"} & model.model_fields.keys():
            raise PluginError(
                f"{where}: the config model of {item.kind!r} declares {', '.join(sorted(clash))}",
                hint="these keys of a block belong to the kernel; rename the field",
            )
        self._claim(item.layer, item.kind, item.plugin, location(item.factory))
        self.kinds[item.layer][item.kind] = item

    def add_check(self, check: HealthCheck, plugin: str) -> None:
        self._claim("checks", check.code, plugin, location(check.run))
        self.checks[check.code] = check

    def add_command(self, command: click.Command, plugin: str) -> None:
        """A subcommand; a group joins one of its name that another plugin brought."""
        from click import Group

        name = command.name
        if not name:
            raise PluginError(f"plugin {plugin!r} registers a command without a name")
        known = self.commands.get(name)
        parts = command.commands if isinstance(command, Group) else {}
        if not (isinstance(known, Group) and parts):
            self._claim("commands", name, plugin, location(command.callback))
        for part, one in parts.items():
            self._claim("commands", f"{name} {part}", plugin, location(one.callback))
        if isinstance(known, Group):
            command = Group(name, {**known.commands, **parts}, help=known.help)
        self.commands[name] = command

    def _claim(self, table: str, key: str, plugin: str, where: str) -> None:
        owner = f"plugin {plugin!r} ({where})"
        other = self._owners.setdefault((table, key), owner)
        if other != owner or key in getattr(self, table, {}) or key in self.kinds.get(table, {}):
            raise PluginError(
                f"{table[:-1]} {key!r} is registered twice: by {other} and by {owner}",
                code="kind_duplicate",
                hint="uninstall one of them, or name those to load in INFERA_PLUGINS",
            )


def location(thing: object) -> str:
    """`file:line` of a function, class or module, as far as Python knows it."""
    if inspect.ismodule(thing):
        return getattr(thing, "__file__", None) or thing.__name__
    target: Any = inspect.unwrap(thing) if callable(thing) else thing
    if inspect.isclass(target):
        target = vars(target).get("__init__", target)
    code = getattr(target, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    try:
        return f"{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}"
    except (TypeError, OSError):
        return str(getattr(thing, "__module__", None) or type(thing).__name__)


def by_name(kinds: Mapping[str, Kind]) -> list[Kind]:
    return [kinds[name] for name in sorted(kinds)]
