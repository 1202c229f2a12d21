"""Every hook of INFERA: what a plugin author reads first.

A plugin is a module (or any object) with functions marked `@hookimpl`, announced by an entry
point in the group `infera.plugins`. Hooks are synchronous, cheap and free of I/O; whatever waits
lives in the components they register. The kernel refuses `async def` hooks, names that are no
hook, plugins without hooks and kinds registered twice.

    from infera.hookspecs import Manifest, Register, hookimpl

    @hookimpl
    def infera_manifest() -> Manifest:
        return Manifest(name="echo", summary="An engine that repeats the prompt")

    @hookimpl
    def infera_register_engines(register: Register) -> None:
        register("echo", EchoEngine, EchoConfig)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click
    from pydantic import BaseModel

    from infera.abc import Component
    from infera.checks import HealthCheck
    from infera.context import Context
    from infera.types import Address, JobRequest, Tier

hookspec = pluggy.HookspecMarker("infera")
hookimpl = pluggy.HookimplMarker("infera")

ENTRY_POINT_GROUP = "infera.plugins"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a plugin says about itself. `requires` names plugins that have to load first."""

    name: str
    summary: str
    requires: tuple[str, ...] = ()
    homepage: str = ""


class Register(Protocol):
    """Handed to the `infera_register_*` hooks of component kinds.

    `kind` is the word a configuration block uses (snake_case). `factory(config, context)` builds
    a component of the hook's layer; it may raise `infera.errors.ComponentError`. It runs after
    every lower layer has been started. `config_model` is a pydantic model with `extra="forbid"`
    and `frozen=True`. The block's `kind` and `optional` belong to the kernel; `name` is passed on
    if the model has a field of that name. The kernel sets `component.name` to it.
    """

    def __call__(
        self,
        kind: str,
        factory: Callable[[Any, Context], Component],
        config_model: type[BaseModel],
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that can serve the request at hand, as `infera_pick_provider` sees it."""

    provider: Address
    price_in: int
    price_out: int
    premium_bps: int
    tokens_per_second: int
    capacity: int
    in_flight: int
    region: str = ""
    reputation: float = 1.0


# -- start: who is there and what they bring -------------------------------------------------------


@hookspec
def infera_manifest() -> Manifest:
    """The plugin's name, summary and requirements.

    Called once per plugin right after it was imported, before any other hook. Without it the
    plugin goes by its entry point's name and requires nothing.
    """
    raise NotImplementedError


@hookspec
def infera_register_roles(register: Register) -> None:
    """Bring roles a node can play.

    Called once while the node's kinds are collected; the factory returns a `Role`.
    """


@hookspec
def infera_register_engines(register: Register) -> None:
    """Bring inference engines.

    Called once while kinds are collected; the factory returns an `Engine`.
    """


@hookspec
def infera_register_verifiers(register: Register) -> None:
    """Bring verification tiers.

    Called once while kinds are collected; the factory returns a `Verifier`.
    """


@hookspec
def infera_register_chains(register: Register) -> None:
    """Bring settlement layers.

    Called once while kinds are collected; the factory returns a `Chain`.
    """


@hookspec
def infera_register_fronts(register: Register) -> None:
    """Bring doors for people's programs.

    Called once while kinds are collected; the factory returns a `Front`.
    """


@hookspec
def infera_register_checks(register: Callable[[HealthCheck], None]) -> None:
    """Bring health checks, which `infera doctor` and the last stage of `infera validate` run.

    Called once while kinds are collected: `register(HealthCheck(...))`.
    """


@hookspec
def infera_register_commands(register: Callable[[click.Command], None]) -> None:
    """Bring subcommands of `infera`: `register(command)`.

    Called when the command line meets a word that is no built-in command. Built-in commands
    cannot be replaced.
    """


# -- per request: two pure choices -----------------------------------------------------------------


@hookspec(firstresult=True)
def infera_pick_provider(request: JobRequest, candidates: Sequence[Candidate]) -> Address | None:
    """Choose who serves a request.

    Called by the router role for every request, with the candidates that can serve it (never
    none). Return the address of one of them, or None to leave the choice to the next plugin and
    at last to the router. The plugin that was loaded last is asked first; the first answer
    counts. Must be pure.
    """


@hookspec(firstresult=True)
def infera_pick_tier(request: JobRequest) -> Tier | None:
    """Choose the verification tier of a request whose caller named none.

    Called by the router role, before a provider is chosen; `request.tier` is a placeholder. Return
    a tier, or None to leave the choice to the next plugin and at last to the router, which takes
    `OPTIMISTIC`. Must be pure.
    """
