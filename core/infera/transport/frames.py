"""Frames: `type u8 ‖ stream u32 big-endian ‖ payload`. Stream 0 is the link itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any

import orjson

from infera.errors import ProtocolError

MAX_FRAME = 4 * 1024 * 1024
"""Bytes. Bounds what a peer can make us hold; answers larger than this are paged."""

_HEADER = Struct(">BI")


class FrameType(IntEnum):
    """What a frame means. `END`, `FAIL` and `REPLY` close their stream."""

    CHALLENGE = 1
    HELLO = 2
    WELCOME = 3
    HEARTBEAT = 4
    NOTICE = 5
    OPEN = 6
    CHUNK = 7
    END = 8
    FAIL = 9
    CANCEL = 10
    CREDIT = 11
    ACK = 12
    QUERY = 13
    REPLY = 14


CLOSING = frozenset({FrameType.END, FrameType.FAIL, FrameType.REPLY})


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `payload` is JSON for every type but `CHUNK` (bytes for the client) and
    `CREDIT` (u32 big-endian).
    """

    type: FrameType
    stream: int
    payload: bytes

    def json(self) -> dict[str, Any]:
        """The payload as a JSON object. Raises `ProtocolError`."""
        try:
            value = orjson.loads(self.payload)
        except orjson.JSONDecodeError as error:
            raise ProtocolError(f"a {self.type.name} frame is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ProtocolError(f"a {self.type.name} frame is not a JSON object")
        return value


def encode(type: FrameType, stream: int, payload: bytes) -> bytes:
    """The frame's bytes. Raises `ProtocolError` above `MAX_FRAME`."""
    if len(payload) > MAX_FRAME - _HEADER.size:
        raise ProtocolError(f"a frame of {len(payload)} bytes exceeds {MAX_FRAME}")
    return _HEADER.pack(type, stream) + payload


def decode(data: bytes | str) -> Frame:
    """The reverse. Raises `ProtocolError` on text, truncation, size or an unknown type."""
    if isinstance(data, str):
        raise ProtocolError("the peer sent a text message; frames are binary")
    if not _HEADER.size <= len(data) <= MAX_FRAME:
        raise ProtocolError(f"a frame of {len(data)} bytes is out of bounds")
    kind, stream = _HEADER.unpack_from(data)
    try:
        return Frame(FrameType(kind), stream, data[_HEADER.size :])
    except ValueError:
        raise ProtocolError(f"unknown frame type {kind}") from None
