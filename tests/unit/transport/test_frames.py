"""The wire format, against garbage too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infera.errors import ProtocolError
from infera.transport.frames import MAX_FRAME, Frame, FrameType, decode, encode


@given(st.sampled_from(FrameType), st.integers(0, 2**32 - 1), st.binary(max_size=512))
def test_a_frame_survives_the_wire(type: FrameType, stream: int, payload: bytes) -> None:
    assert decode(encode(type, stream, payload)) == Frame(type, stream, payload)


@given(st.binary(max_size=64) | st.text(max_size=16))
def test_garbage_is_a_protocol_error_or_a_frame(data: bytes | str) -> None:
    try:
        frame = decode(data)
    except ProtocolError:
        return
    assert encode(frame.type, frame.stream, frame.payload) == data


@pytest.mark.parametrize("payload", [b"", b"nonsense", b"[1]", b"\xff"])
def test_a_payload_that_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="END frame is not"):
        Frame(FrameType.END, 1, payload).json()


def test_a_frame_beyond_the_limit_is_never_made_nor_read() -> None:
    with pytest.raises(ProtocolError, match="exceeds"):
        encode(FrameType.CHUNK, 1, bytes(MAX_FRAME))
    with pytest.raises(ProtocolError, match="out of bounds"):
        decode(b"\x07" + bytes(MAX_FRAME))
