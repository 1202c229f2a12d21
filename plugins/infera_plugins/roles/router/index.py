"""The live index of providers and the choice among them (whitepaper §7.1, §7.2).

Score, lower is better:  price·w_price + latency·w_latency + load·w_load + errors·w_errors +
distrust·w_distrust, each term relative to the best candidate (price, latency) or in 0…1 (load,
errors, distrust). The figures behind every choice go into the decision log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infera.types import Sampling
from infera_plugins.roles.router.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infera.protocol.messages import ProviderOffer
    from infera.transport.link import Link
    from infera.types import Address, Tier
    from infera_plugins.roles.router.store import Store

_ALPHA = 0.2
"""Weight of the newest sample in latency and error averages."""

_UNKNOWN_LATENCY_S = 0.25
"""What a newcomer is assumed to need for its first token, so that it is tried early."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The scoring weights; governance parameters in time."""

    price: float = 1.0
    latency: float = 0.5
    load: float = 1.0
    errors: float = 4.0
    distrust: float = 2.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as one provider offers it."""

    name: str
    model_id: bytes
    context_length: int
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(slots=True)
class Peer:
    """One connected provider."""

    address: Address
    hot_key: Address
    link: Link
    offer: ProviderOffer
    offer_signature: bytes
    models: dict[str, ServedModel]
    joined_at: int
    in_flight: int = 0
    latency_s: float = _UNKNOWN_LATENCY_S
    error_rate: float = 0.0
    distrust: float = 0.0
    """0…1, from its score on the chain."""
    draining: bool = False
    served: int = 0

    @property
    def load(self) -> float:
        return self.in_flight / self.offer.capacity

    def observe_latency(self, seconds: float) -> None:
        self.latency_s += _ALPHA * (seconds - self.latency_s)

    def observe_outcome(self, failed: bool) -> None:
        self.error_rate += _ALPHA * (float(failed) - self.error_rate)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that could take the job, with the figures its score came from."""

    peer: Peer
    price: int
    score: float

    def to_json(self) -> dict[str, Any]:
        peer = self.peer
        return {
            "provider": peer.address,
            "price": self.price,
            "latency_ms": round(peer.latency_s * 1000),
            "load": round(peer.load, 4),
            "errors": round(peer.error_rate, 4),
            "distrust": round(peer.distrust, 4),
            "score": round(self.score, 6),
        }


@dataclass(slots=True)
class ProviderIndex:
    """Who is connected and what they serve."""

    weights: Weights = field(default_factory=Weights)
    peers: dict[Address, Peer] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def add(self, peer: Peer) -> None:
        self.peers[peer.address] = peer

    def remove(self, peer: Peer) -> None:
        """Forget a connection, unless the provider has already come back on another one."""
        if self.peers.get(peer.address) is peer:
            del self.peers[peer.address]

    async def pin_first(self, model: ServedModel, store: Store) -> None:
        """Let a name that means nothing yet mean the model that is offered under it."""
        if model.name not in self.names:
            self.names.first[model.name] = await store.pin_model(model.name, model.model_id)

    def served(self, peer: Peer, name: str) -> ServedModel | None:
        """What a peer serves under a name: an official one may differ from the manifest's."""
        model_id = self.names.get(name)
        if model_id is None:
            return peer.models.get(name)
        return next((m for m in peer.models.values() if m.model_id == model_id), None)

    def offering(self, name: str) -> list[Peer]:
        """Peers that serve the model a name means."""
        return [p for p in self.peers.values() if self.served(p, name) is not None]

    def on_offer(self) -> list[str]:
        """The names under which anything can be had, sorted."""
        names = {m for p in self.peers.values() for m in p.models}
        names.update(self.names.official_names())
        return sorted(name for name in names if self.offering(name))

    def rank(
        self,
        name: str,
        tier: Tier,
        tokens: tuple[int, int],
        max_price: tuple[int, int],
        exclude: Iterable[Address] = (),
    ) -> list[Candidate]:
        """Candidates for a job of `tokens` (in, out) under the grant's price ceilings and those
        of an official model, best first.

        Ties go to the provider with fewer jobs served, then to the lower address: the order is
        total, so a decision can be replayed.
        """
        out = set(exclude)
        limits = self.names.ceilings(self.names.get(name) or b"")
        if limits is not None:
            max_price = min(max_price[0], limits[0]), min(max_price[1], limits[1])
        fit = [
            p
            for p in self.offering(name)
            if p.address not in out
            and not p.draining
            and tier in p.offer.tiers
            and p.in_flight < p.offer.capacity
            and p.offer.price_in <= max_price[0]
            and p.offer.price_out <= max_price[1]
        ]
        if not fit:
            return []
        prices = [tokens[0] * p.offer.price_in + tokens[1] * p.offer.price_out for p in fit]
        cheapest = max(min(prices), 1)
        fastest = max(min(p.latency_s for p in fit), 1e-3)
        w = self.weights
        ranked = [
            Candidate(
                p,
                price,
                w.price * price / cheapest
                + w.latency * p.latency_s / fastest
                + w.load * p.load
                + w.errors * p.error_rate
                + w.distrust * p.distrust,
            )
            for p, price in zip(fit, prices, strict=True)
        ]
        ranked.sort(key=lambda c: (c.score, c.peer.served, c.peer.address))
        return ranked
