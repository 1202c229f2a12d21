"""The router's side of a peer's link: the handshake, a provider's place in the index, and the
queries peers may ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

from infera.errors import InferaError, ProtocolError
from infera.events import ProgressMade, ProviderJoined, ProviderLeft
from infera.keys import Signer, recover
from infera.operators import active_hot_key
from infera.protocol.abi import json_text
from infera.protocol.jobs import canonical_json, sampling_from_json
from infera.protocol.messages import ProviderOffer
from infera.transport.frames import Frame, FrameType
from infera.transport.handshake import Hello, greet
from infera.transport.link import Link, Stream
from infera.transport.sockets import LinkLostError, Socket
from infera.types import Address, OperatorRole, Sampling
from infera_ext import keccak256
from infera_plugins.roles.router.index import Peer, ProviderIndex, ServedModel
from infera_plugins.roles.router.names import refuse

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from infera.abc import Chain
    from infera.bus import EventBus
    from infera_plugins.roles.router.desk import ReceiptDesk
    from infera_plugins.roles.router.publication import Publication
    from infera_plugins.roles.router.settlement import Settlement
    from infera_plugins.roles.router.store import Store

_MAX_MODELS = 256
_MAX_NAME = 256


@dataclass(slots=True)
class Sessions:
    """Accepts peers; one call of `accept` per connection."""

    address: Address
    hot: Signer
    chain: Chain
    index: ProviderIndex
    desk: ReceiptDesk
    tasks: TaskGroup
    settlement: Settlement
    store: Store
    publication: Publication
    bus: EventBus

    async def accept(self, socket: Socket) -> None:
        """Serve one peer until it leaves. Its faults end its own connection and nothing else."""
        try:
            hello = await greet(
                socket,
                self.chain.domain,
                self.address,
                self.hot,
                lambda address, role: active_hot_key(self.chain, address, role),
            )
            if hello.role is OperatorRole.PROVIDER:
                await self._provider(socket, hello)
            else:
                await self._validator(socket, hello)
        except LinkLostError:
            pass
        except InferaError as error:
            self.bus.publish(ProgressMade("router", f"turned a peer away: {error.message}"))

    async def _provider(self, socket: Socket, hello: Hello) -> None:
        link = Link(socket, dialled=False)
        peer = await self._admit(link, hello)
        if reason := self.index.names.excess(peer.offer):
            await refuse(peer, reason)
            raise ProtocolError(f"{peer.address}: {reason}")
        previous = self.index.peers.get(peer.address)
        if previous is not None:
            # The same operator on a new connection: its old one is dead or about to be.
            peer.latency_s, peer.error_rate, peer.served = (
                previous.latency_s,
                previous.error_rate,
                previous.served,
            )
            # Closing waits for the other side's answer, which may never come.
            self.tasks.start_soon(previous.link.close, "replaced by a newer connection")
        self.index.add(peer)
        self.bus.publish(ProviderJoined(peer.address, tuple(peer.models)))

        async def on_notice(frame: Frame) -> None:
            if frame.type is FrameType.HEARTBEAT:
                peer.draining = bool(frame.json().get("draining", False))

        async def on_open(stream: Stream, frame: Frame) -> None:
            await self._answer(stream, frame, hello)

        try:
            await link.run(on_open, on_notice)
        finally:
            self.index.remove(peer)
            self.bus.publish(ProviderLeft(peer.address, link.lost or "left"))

    async def _admit(self, link: Link, hello: Hello) -> Peer:
        body = hello.body
        offer = ProviderOffer.from_json(body.get("offer"))
        signature = _hex(body.get("offerSignature"))
        if recover(offer.digest(self.chain.domain), signature) != hello.hot_key:
            raise ProtocolError(f"{hello.address}'s offer is not signed by its hot key")
        if offer.provider != hello.address or offer.not_after <= time() or offer.capacity < 1:
            raise ProtocolError(
                f"{hello.address}'s offer is not its own, has expired, or has no capacity"
            )
        models = [self._model(m, offer) for m in _list(body.get("models"))]
        for model in models:
            await self.index.pin_first(model, self.store)
        return Peer(
            address=hello.address,
            hot_key=hello.hot_key,
            link=link,
            offer=offer,
            offer_signature=signature,
            models={m.name: m for m in models},
            joined_at=int(time()),
        )

    @staticmethod
    def _model(value: object, offer: ProviderOffer) -> ServedModel:
        """A model as offered: its name must be the one in the manifest that hashes to its id."""
        if not isinstance(value, dict):
            raise ProtocolError("a model in the greeting is not an object")
        manifest, context = value.get("manifest"), value.get("contextLength")
        model_id = _hex(value.get("modelId"))
        if not isinstance(manifest, dict) or not isinstance(context, int) or context < 1:
            raise ProtocolError("a model in the greeting lacks its manifest or context length")
        if keccak256(canonical_json(manifest)) != model_id or model_id not in offer.models:
            raise ProtocolError("a model's id is not its manifest's hash, or is not in the offer")
        sampling = value.get("sampling")
        return ServedModel(
            json_text(manifest.get("name", value.get("name")), _MAX_NAME, "model name"),
            model_id,
            context,
            Sampling() if sampling is None else sampling_from_json(sampling),
        )

    async def _validator(self, socket: Socket, hello: Hello) -> None:
        link = Link(socket, dialled=False)

        async def on_open(stream: Stream, frame: Frame) -> None:
            await self._answer(stream, frame, hello)

        async def on_notice(frame: Frame) -> None:
            return None

        await link.run(on_open, on_notice)

    async def _answer(self, stream: Stream, frame: Frame, hello: Hello) -> None:
        """Answer one query with `REPLY`, or with `FAIL` and the reason."""
        try:
            body = frame.json()
            match frame.type, body.get("type"), hello.role:
                case FrameType.QUERY, "receipt", OperatorRole.PROVIDER:
                    complaint = await self.desk.late_receipt(body, hello.address, hello.hot_key)
                    reply: dict[str, Any] = {"accepted": complaint is None, "reason": complaint}
                case FrameType.QUERY, "credit", OperatorRole.PROVIDER:
                    reply = await self.settlement.credit(hello.address)
                case FrameType.QUERY, "leaves", _:
                    start = int(body.get("start", 0))
                    reply = await self.publication.page(int(body["batch"]), start)
                case FrameType.QUERY, "evidence", OperatorRole.VALIDATOR:
                    # Content goes to staked validators only; leaves carry none and go to anybody.
                    reply = await self.publication.evidence(int(body["batch"]), int(body["leaf"]))
                case _:
                    raise ProtocolError(
                        f"a {hello.role.name.lower()} may not ask {body.get('type')!r}"
                    )
            await stream.send_json(FrameType.REPLY, reply)
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            await stream.send_json(FrameType.FAIL, {"message": f"malformed query: {error}"})
        except LinkLostError:
            raise
        except InferaError as error:
            await stream.send_json(FrameType.FAIL, {"message": error.message})


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError:
        raise ProtocolError("a hexadecimal field in the greeting is malformed") from None


def _list(value: object) -> list[object]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_MODELS:
        raise ProtocolError(f"the greeting must list 1 to {_MAX_MODELS} models")
    return value
