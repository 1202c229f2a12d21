"""Mutual proof of identity when a peer dials a router.

    router → CHALLENGE {nonce, router, chainId, registry}
    peer   → HELLO     {nonce, address, role, signature, offer?, offerSignature?, models?}
    router → WELCOME   {signature}

Each side signs the other's fresh nonce with its hot key, so a recorded handshake proves nothing
later; the digest starts with a
tag that no EIP-712 digest (0x1901…) can start with, so it can never be mistaken for a ticket or
receipt.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from infera.errors import ProtocolError
from infera.keys import Signer, recover
from infera.transport.frames import Frame, FrameType, decode, encode
from infera.types import Address, OperatorRole
from infera_ext import keccak256

if TYPE_CHECKING:
    from infera.protocol.eip712 import Domain
    from infera.transport.sockets import Socket

_TAG = b"INFERA-HANDSHAKE-1"
_DEADLINE_S = 10.0

HotKeyOf = Callable[[Address, OperatorRole], Awaitable[Address | None]]
"""Looks an operator's hot key up on the chain; None when it is not an active operator in that
role.
"""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a peer has proved about itself, and the rest of its greeting."""

    address: Address
    role: OperatorRole
    hot_key: Address
    body: dict[str, Any]


def digest(
    domain: Domain, nonce: bytes, signer: Address, other: Address, role: OperatorRole
) -> bytes:
    """What the holder of `signer`'s hot key signs towards `other`."""
    return keccak256(
        _TAG
        + domain.separator
        + nonce
        + bytes.fromhex(signer[2:])
        + bytes.fromhex(other[2:])
        + bytes([role])
    )


async def _receive(socket: Socket, expected: FrameType) -> dict[str, Any]:
    frame: Frame = decode(await socket.receive())
    if frame.type is FrameType.FAIL:
        raise ProtocolError(
            str(frame.json().get("message", "refused")), hint="see the router's log"
        )
    if frame.type is not expected:
        raise ProtocolError(f"expected {expected.name}, got {frame.type.name}")
    return frame.json()


async def _send(socket: Socket, type: FrameType, value: object) -> None:
    await socket.send(encode(type, 0, orjson.dumps(value)))


def _bytes(body: dict[str, Any], field: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(str(body[field]).removeprefix("0x"))
    except (KeyError, ValueError):
        raise ProtocolError(f"the handshake lacks a valid {field!r}") from None
    if len(value) != length:
        raise ProtocolError(f"the handshake's {field!r} must be {length} bytes")
    return value


async def greet(
    socket: Socket, domain: Domain, router: Address, hot: Signer, hot_key_of: HotKeyOf
) -> Hello:
    """The router's side. Raises `ProtocolError` after telling the peer why."""
    try:
        with anyio.fail_after(_DEADLINE_S):
            nonce = secrets.token_bytes(32)
            await _send(
                socket,
                FrameType.CHALLENGE,
                {
                    "nonce": nonce.hex(),
                    "router": router,
                    "chainId": domain.chain_id,
                    "registry": domain.verifying_contract,
                },
            )
            body = await _receive(socket, FrameType.HELLO)
            try:
                role = OperatorRole(body["role"])
                address = str(body["address"])
                signed_by = recover(
                    digest(domain, nonce, address, router, role), _bytes(body, "signature", 65)
                )
            except (KeyError, ValueError):
                raise ProtocolError("the HELLO frame lacks a valid role or address") from None
            expected = await hot_key_of(address, role)
            if expected is None:
                raise ProtocolError(f"{address} is not an active {role.name.lower()}: stake first")
            if expected != signed_by:
                raise ProtocolError(
                    f"{address}'s hot key on the chain is {expected}, not {signed_by}"
                )
            proof = hot.sign(
                digest(domain, _bytes(body, "nonce", 32), router, address, OperatorRole.ROUTER)
            )
            await _send(socket, FrameType.WELCOME, {"signature": proof.hex()})
            return Hello(address, role, expected, body)
    except TimeoutError:
        raise ProtocolError("the peer did not finish the handshake in time") from None
    except ProtocolError as error:
        await _send(socket, FrameType.FAIL, {"message": error.message})
        await socket.close(error.message)
        raise


async def introduce(
    socket: Socket,
    domain: Domain,
    address: Address,
    role: OperatorRole,
    hot: Signer,
    extra: dict[str, Any],
    hot_key_of: HotKeyOf,
) -> tuple[Address, Address]:
    """The peer's side; returns the router's address and hot key. Raises `ProtocolError`."""
    try:
        with anyio.fail_after(_DEADLINE_S):
            body = await _receive(socket, FrameType.CHALLENGE)
            router = str(body.get("router"))
            there = (body.get("chainId"), body.get("registry"))
            here = (domain.chain_id, domain.verifying_contract)
            if there != here:
                raise ProtocolError(
                    f"the router settles on chain {there[0]} at {there[1]}, "
                    f"this node on {here[0]} at {here[1]}",
                    hint="check `chains:` in this node's configuration",
                )
            nonce = secrets.token_bytes(32)
            proof = hot.sign(digest(domain, _bytes(body, "nonce", 32), address, router, role))
            await _send(
                socket,
                FrameType.HELLO,
                {
                    **extra,
                    "nonce": nonce.hex(),
                    "address": address,
                    "role": int(role),
                    "signature": proof.hex(),
                },
            )
            answer = await _receive(socket, FrameType.WELCOME)
            expected = await hot_key_of(router, OperatorRole.ROUTER)
            signed_by = recover(
                digest(domain, nonce, router, address, OperatorRole.ROUTER),
                _bytes(answer, "signature", 65),
            )
            if expected is None or signed_by != expected:
                raise ProtocolError(f"the other side could not prove that it is router {router}")
            return router, expected
    except TimeoutError:
        raise ProtocolError("the router did not finish the handshake in time") from None
