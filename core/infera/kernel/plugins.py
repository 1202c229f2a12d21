"""Loads plugins and calls their hooks: the only module that deals with pluggy's manager.

The rest of the kernel sees typed methods. What pluggy lets pass in silence is refused here, with
the plugin's name and the place in its source: coroutine hooks (pluggy would hand out the
coroutine), names that are no hook, and plugins without any hook.
"""

from __future__ import annotations

import inspect
import os
import re
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pluggy
from pluggy import HookimplOpts

from infera import hookspecs
from infera.errors import InferaError, PluginError, did_you_mean
from infera.hookspecs import ENTRY_POINT_GROUP, Candidate, Manifest
from infera.kernel.registry import LAYERS, Kind, MissingPlugin, Registry, location
from infera.types import Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from infera.types import Address, JobRequest

_HOOKS = tuple(sorted(name for name in vars(hookspecs) if name.startswith("infera_")))


class _HookManager(pluggy.PluginManager):
    """pluggy's manager, stricter: every fault is a `PluginError` that says who, where and what to
    do.
    """

    def __init__(self) -> None:
        super().__init__("infera")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        opts = super().parse_hookimpl_opts(plugin, name)
        function = getattr(plugin, name, None)
        who = f"plugin {self._naming!r} ({location(function)})"
        if opts is None:
            if name in _HOOKS and inspect.isroutine(function):
                raise PluginError(
                    f"{who}: {name} is not marked as a hook", hint="put @hookimpl above it"
                )
            return None
        hook = opts.get("specname") or name
        if hook not in _HOOKS and not opts.get("optionalhook"):
            raise PluginError(
                f"{who}: {hook} is no hook of INFERA", hint=did_you_mean(hook, _HOOKS)
            )
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginError(
                f"{who}: {name} is `async def`, but hooks are synchronous",
                hint="register a component; its `serve` may wait",
            )
        if opts.get("wrapper") or opts.get("hookwrapper"):
            raise PluginError(f"{who}: {name} is a wrapper; hooks of INFERA cannot be wrapped")
        return opts

    def register(self, plugin: object, name: str | None = None) -> str | None:
        self._naming = name or self.get_canonical_name(plugin)
        if inspect.isclass(plugin):
            raise PluginError(
                f"plugin {self._naming!r} ({location(plugin)}) is a class",
                hint="the entry point has to lead to a module or an instance",
            )
        try:
            registered = super().register(plugin, name)
        except pluggy.PluginValidationError as error:
            # pluggy has half-registered the plugin by now; the manager is thrown away with this
            # error.
            raise PluginError(
                f"plugin {self._naming!r} ({location(plugin)}): {str(error).splitlines()[-1]}",
                hint="the parameters a hook may take are in infera/hookspecs.py",
            ) from error
        except ValueError as error:
            raise PluginError(f"plugin {self._naming!r} is loaded twice") from error
        if not self.get_hookcallers(plugin):
            raise PluginError(
                f"plugin {self._naming!r} ({location(plugin)}) has no hook",
                hint="mark at least one infera_* function with @hookimpl",
            )
        return registered


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A loaded plugin, as `infera plugins` shows it."""

    name: str
    manifest: Manifest
    version: str
    origin: str
    hooks: tuple[str, ...]


class Plugins:
    """The loaded plugins behind one typed method per use."""

    def __init__(
        self, loaded: Sequence[tuple[str, object, str]], missing: Sequence[MissingPlugin]
    ) -> None:
        guard = _HookManager()
        for name, plugin, _ in loaded:
            guard.register(plugin, name)
        manifests = {name: _manifest(guard, name) for name, _, _ in loaded}
        found = {name: (plugin, version) for name, plugin, version in loaded}
        # Registered anew in load order, since pluggy asks the plugin registered last first.
        self._pm = _HookManager()
        self.infos: list[PluginInfo] = []
        for name in _load_order(manifests, missing):
            plugin, version = found[name]
            self._pm.register(plugin, name)
            hooks = sorted(caller.name for caller in self._pm.get_hookcallers(plugin) or ())
            origin = str(getattr(plugin, "__file__", None) or location(type(plugin)))
            self.infos.append(PluginInfo(name, manifests[name], version, origin, tuple(hooks)))
        self.missing = tuple(missing)
        self.registry = self._collect()
        self._commands_loaded = False

    def commands(self) -> Registry:
        """The registry with the plugins' subcommands, which are collected on first need."""
        if not self._commands_loaded:
            self._commands_loaded = True
            for name, function in self._implementations("infera_register_commands"):
                _call(name, function, partial(self.registry.add_command, plugin=name))
        return self.registry

    def pick_provider(self, request: JobRequest, candidates: Sequence[Candidate]) -> Address | None:
        """The first plugin's choice among the candidates, or None."""
        choice = self._pm.hook.infera_pick_provider(request=request, candidates=candidates)
        if choice is not None and choice not in {c.provider for c in candidates}:
            raise PluginError(
                f"infera_pick_provider of {self._askers('infera_pick_provider')} chose {choice!r}",
                hint="return the `provider` of one of the candidates, or None",
            )
        return choice  # type: ignore[no-any-return]

    def pick_tier(self, request: JobRequest) -> Tier | None:
        """The first plugin's choice, or None."""
        choice = self._pm.hook.infera_pick_tier(request=request)
        if choice is not None and not isinstance(choice, Tier):
            raise PluginError(
                f"infera_pick_tier of {self._askers('infera_pick_tier')} returned {choice!r}",
                hint="return an infera.types.Tier, or None",
            )
        return choice

    def _collect(self) -> Registry:
        registry = Registry(missing=self.missing)
        for layer in LAYERS:
            for name, function in self._implementations(f"infera_register_{layer}"):

                def register(
                    kind: str, factory: Any, config_model: Any, layer: str = layer, name: str = name
                ) -> None:
                    registry.add_kind(Kind(layer, kind, factory, config_model, name))

                _call(name, function, register)
        for name, function in self._implementations("infera_register_checks"):
            _call(name, function, partial(registry.add_check, plugin=name))
        return registry

    def _implementations(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """(plugin, function) in load order; called one by one, so that each registration has an
        owner.
        """
        caller: pluggy.HookCaller = getattr(self._pm.hook, hook)
        order = [info.name for info in self.infos]
        found = [(impl.plugin_name, _accepting(impl)) for impl in caller.get_hookimpls()]
        return sorted(found, key=lambda pair: order.index(pair[0]))

    def _askers(self, hook: str) -> str:
        return " or ".join(repr(name) for name, _ in self._implementations(hook))


def load_plugins(
    extra: Iterable[tuple[str, object]] = (), *, only: str | None = None, entry_points: bool = True
) -> Plugins:
    """Import and register every installed plugin, and `extra` ones given as (name, object).

    `only`, by default the environment variable INFERA_PLUGINS, is a comma-separated list of the
    entry points to load; an empty one loads none.
    """
    loaded: list[tuple[str, object, str]] = [(name, plugin, "") for name, plugin in extra]
    missing: list[MissingPlugin] = []
    for point in _entry_points(only) if entry_points else ():
        version = point.dist.version if point.dist else ""
        try:
            loaded.append((point.name, point.load(), version))
        except ImportError as error:
            missing.append(MissingPlugin(point.name, str(error), _extra_for(point, error)))
        except AttributeError as error:
            raise PluginError(
                f"plugin {point.name!r}: entry point {point.value!r} leads nowhere: {error}"
            ) from error
        except InferaError:
            raise
        except Exception as error:
            error.add_note(f"while importing plugin {point.name!r} ({point.value})")
            raise
    return Plugins(sorted(loaded, key=lambda item: item[0]), missing)


def _entry_points(only: str | None) -> list[metadata.EntryPoint]:
    points = {point.name: point for point in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    wanted = os.environ.get("INFERA_PLUGINS") if only is None else only
    if wanted is None:
        return list(points.values())
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in points:
            raise PluginError(
                f"INFERA_PLUGINS names {name!r}, which is not installed",
                code="plugin_unknown",
                hint=did_you_mean(name, points),
            )
    return [points[name] for name in dict.fromkeys(names)]


def _extra_for(point: metadata.EntryPoint, error: ImportError) -> str:
    """The extra that brings the missing module: the entry point's own, else the one whose
    requirements name it.
    """
    if point.extras:
        return point.extras[0]
    module = (error.name or "").partition(".")[0].replace("_", "-").lower()
    for line in (point.dist.requires or ()) if point.dist and module else ():
        requirement = re.match(r"([A-Za-z0-9._-]+).*;.*extra == ['\"]([^'\"]+)['\"]", line)
        if requirement and requirement[1].replace("_", "-").lower() == module:
            return requirement[2]
    return ""


def _manifest(pm: _HookManager, name: str) -> Manifest:
    for impl in pm.hook.infera_manifest.get_hookimpls():
        if impl.plugin_name == name:
            manifest = _call(name, impl.function)
            if not isinstance(manifest, Manifest):
                raise PluginError(
                    f"plugin {name!r} ({location(impl.function)}): infera_manifest returned"
                    f" {type(manifest).__name__}",
                    hint="return an infera.hookspecs.Manifest",
                )
            return manifest
    return Manifest(name=name, summary="")


def _load_order(manifests: dict[str, Manifest], missing: Sequence[MissingPlugin]) -> list[str]:
    """Plugins after those they require; among equals by name.

    `requires` may name entry point or manifest.
    """
    known = {manifest.name: name for name, manifest in manifests.items()} | {
        n: n for n in manifests
    }
    absent = {m.name: m for m in missing}
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            ring = " → ".join([*path[path.index(name) :], name])
            raise PluginError(f"plugins require each other in a ring: {ring}")
        if name in order:
            return
        for wanted in sorted(manifests[name].requires):
            if wanted in absent:
                raise PluginError(f"plugin {name!r} requires {wanted!r}: {absent[wanted]}")
            if wanted not in known:
                raise PluginError(
                    f"plugin {name!r} requires {wanted!r}, which is not loaded",
                    hint=did_you_mean(wanted, known),
                )
            visit(known[wanted], (*path, name))
        order.append(name)

    for name in sorted(manifests):
        visit(name, ())
    return order


def _accepting(impl: Any) -> Callable[..., Any]:
    """The implementation as a function of all the hook's arguments: it may declare fewer."""
    function: Callable[..., Any] = impl.function
    return function if impl.argnames else lambda *_: function()


def _call(plugin: str, function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except InferaError:
        raise
    except TypeError as error:
        error.add_note(
            f"in plugin {plugin!r} ({location(function)}); register(kind, factory, config_model)"
        )
        raise
    except Exception as error:
        error.add_note(f"in plugin {plugin!r} ({location(function)})")
        raise
