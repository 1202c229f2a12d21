"""Which model a name means, and what an official model may cost.

The operator's `models:` comes first, then the chain's registry of official models, then the first
offer that was seen under a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from infera.errors import ChainError, ChainUnavailableError, StateError, TransientError
from infera.events import ProgressMade
from infera.transport.frames import FrameType
from infera.transport.sockets import LinkLostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera.protocol.messages import ProviderOffer
    from infera.services.models import ModelBook, OfficialModel
    from infera.types import ChainEvent
    from infera_plugins.roles.router.index import Peer, ProviderIndex
    from infera_plugins.roles.router.store import Store

_AGAIN_S = 5.0
_NO_MODEL = bytes(32)


@dataclass(slots=True)
class Names:
    """What names mean now. Looking up never waits."""

    fixed: Mapping[str, bytes] = field(default_factory=dict)
    """The operator's own word."""
    official: dict[bytes, OfficialModel] = field(default_factory=dict)
    first: dict[str, bytes] = field(default_factory=dict)
    """The first model offered under each name."""
    _meaning: dict[str, bytes] = field(default_factory=dict)
    """Official names."""

    def get(self, name: str) -> bytes | None:
        """The model a name means; None if nothing says."""
        return self.fixed.get(name) or self._meaning.get(name) or self.first.get(name)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def official_names(self) -> Iterable[str]:
        return self._meaning

    def learn(self, model: OfficialModel) -> None:
        """A model is official, with this name and these terms."""
        self.forget(model.model_id)
        self.official[model.model_id] = model
        self._meaning[model.name] = model.model_id

    def forget(self, model_id: bytes) -> None:
        """A model is not official."""
        known = self.official.pop(model_id, None)
        if known is not None and self._meaning.get(known.name) == model_id:
            del self._meaning[known.name]

    def ceilings(self, model_id: bytes) -> tuple[int, int] | None:
        """The most a model may cost, (in, out); None if it is not official."""
        known = self.official.get(model_id)
        return None if known is None else (known.max_price_in, known.max_price_out)

    def excess(self, offer: ProviderOffer) -> str | None:
        """Why an offer is too dear; None if it is not."""
        for model_id in offer.models:
            known = self.official.get(model_id)
            if known is not None and (text := known.excess(offer.price_in, offer.price_out)):
                return f"the offer is refused: {text}; lower `price_in:` and `price_out:`"
        return None


async def refuse(peer: Peer, reason: str) -> None:
    """Tell a provider why, and hang up."""
    try:
        await peer.link.notify(FrameType.NOTICE, {"type": "refused", "message": reason})
        await peer.link.close(reason)
    except LinkLostError:
        pass  # it has gone already


@dataclass(slots=True)
class Registry:
    """Keeps `Names` as the chain's registry has them."""

    chain: Chain
    book: ModelBook
    index: ProviderIndex
    store: Store
    bus: EventBus
    cursor: str

    async def load(self) -> None:
        """Read the whole list. Raises `TransientError` while the chain is away."""
        try:
            for model in await self.book.official():
                self.index.names.learn(model)
        except ChainUnavailableError as error:
            raise TransientError(f"cannot read the model registry: {error.message}") from error

    async def follow(self) -> None:
        """Take every change over as it happens, for ever."""
        while True:
            try:
                async for event in self.chain.events(self.cursor, names=self.book.changes):
                    await self._take_over(event)
            except (ChainError, StateError) as error:
                self.bus.publish(ProgressMade("router", f"model registry: {error.message}"))
            await anyio.sleep(_AGAIN_S)  # then the event that failed is told again

    async def _take_over(self, event: ChainEvent) -> None:
        names, model_id = self.index.names, event.args.get("modelId", _NO_MODEL)
        if event.name == "Reorged":
            await self._read_again()
        elif model_id != _NO_MODEL:
            await self._learn(model_id)
        else:  # a name lost its meaning
            name = str(event.args.get("name"))
            for known in [m for m in names.official.values() if m.name == name]:
                await self._learn(known.model_id)
        await self._apply()

    async def _read_again(self) -> None:
        fresh = {model.model_id: model for model in await self.book.official()}
        for model_id in set(self.index.names.official) - set(fresh):
            self.index.names.forget(model_id)
        for model in fresh.values():
            self.index.names.learn(model)
        await self._apply()

    async def _learn(self, model_id: bytes) -> None:
        model = await self.book.official_model(model_id)
        if model is None:
            self.index.names.forget(model_id)
        else:
            self.index.names.learn(model)

    async def _apply(self) -> None:
        """Names that nobody vouches for any more go to the first who offers them, and whoever has
        become too dear is told so.
        """
        names = self.index.names
        for peer in sorted(self.index.peers.values(), key=lambda peer: peer.joined_at):
            for model in peer.models.values():
                await self.index.pin_first(model, self.store)
            if reason := names.excess(peer.offer):
                # Closing waits for the other side's answer, which may never come.
                with anyio.move_on_after(_AGAIN_S):
                    await refuse(peer, reason)
