"""What the kernel hands to a plugin's factory: `factory(config, context) -> Component`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from infera.errors import PermanentError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from infera.abc import Chain, Engine, Gateway, Verifier
    from infera.bus import EventBus
    from infera.hookspecs import Candidate
    from infera.keys import KeyStore
    from infera.state import State
    from infera.types import Address, JobRequest, Tier


T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """The node as a component may see it.

    Components are built layer by layer (state, chains, verifiers, engines, roles, fronts), so a
    factory finds here what lies
    below its own layer. `gateway` is set by the router role when it is built.
    """

    node: str
    home: Path
    bus: EventBus
    state: State
    keys: KeyStore
    chains: dict[str, Chain] = field(default_factory=dict)
    verifiers: dict[Tier, Verifier] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)
    gateway: Gateway | None = None
    pick_provider: Callable[[JobRequest, Sequence[Candidate]], Address | None] = lambda *_: None
    """Asks the plugins' `infera_pick_provider`; None leaves the choice to the router."""
    pick_tier: Callable[[JobRequest], Tier | None] = lambda *_: None
    """Asks the plugins' `infera_pick_tier`."""

    def chain(self, name: str | None = None) -> Chain:
        """The named chain, or the only one."""
        return _pick("chain", self.chains, name)

    def engine(self, name: str | None = None) -> Engine:
        """The named engine, or the only one."""
        return _pick("engine", self.engines, name)

    def require_gateway(self) -> Gateway:
        """The router's gateway; fronts need a router in the same node."""
        if self.gateway is None:
            raise PermanentError(
                "this node has a front but no router", hint="add `- kind: router` under `roles:`"
            )
        return self.gateway


def _pick(layer: str, items: Mapping[str, T], name: str | None) -> T:
    if name is None and len(items) == 1:
        return next(iter(items.values()))
    if name is None:
        raise PermanentError(
            f"this node has {len(items)} {layer}s; say which",
            hint=f"add `{layer}: NAME`; {did_you_mean('', items)}",
        )
    if name not in items:
        raise PermanentError(f"no {layer} is named {name!r}", hint=did_you_mean(name, items))
    return items[name]
