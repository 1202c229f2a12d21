"""keccak-256 with Ethereum's padding, of one message and of many."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from infera_ext import _backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    Bytes: TypeAlias = bytes | bytearray | memoryview

#: Bytes of a digest.
HASH_BYTES: Final = 32
#: Most messages or leaves a call takes: counts are uint32 in the protocol.
MAX_COUNT: Final = 2**32 - 1

_U64_MAX: Final = 2**64 - 1


def view(data: object, what: str) -> bytes | memoryview:
    """The bytes of a contiguous buffer, without a copy."""
    if type(data) is bytes:
        return data
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"{what} must be bytes, bytearray or memoryview, not {type(data).__name__}")
    seen = memoryview(data)
    if not seen.c_contiguous:
        raise ValueError(f"{what} must be contiguous in memory")
    return seen.cast("B")


def count_of(data: bytes | memoryview, size: int, what: str) -> int:
    """How many items of ``size`` bytes are packed in the data."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"the size of {what} must be an int, not {type(size).__name__}")
    if size < 1:
        raise ValueError(f"the size of {what} must be at least 1 byte, got {size}")
    count, rest = divmod(len(data), size)
    if rest:
        raise ValueError(f"{len(data)} bytes are no whole number of {what} of {size} bytes")
    if count > MAX_COUNT:
        raise ValueError(f"{count} {what} are more than {MAX_COUNT}")
    return count


def checked_offsets(offsets: Iterable[int], end: int) -> array[int]:
    """Offsets as C takes them: one more than there are messages, never decreasing, within the
    data."""
    try:
        table = array("Q", offsets)
    except OverflowError:
        raise ValueError("offsets must be between 0 and 2**64 - 1") from None
    if not table:
        raise ValueError("offsets must hold one entry more than there are messages")
    if len(table) - 1 > MAX_COUNT:
        raise ValueError(f"{len(table) - 1} messages are more than {MAX_COUNT}")
    before = 0
    for i, offset in enumerate(table):
        if offset < before:
            raise ValueError(f"offsets must not decrease: entry {i} is {offset} after {before}")
        before = offset
    if before > end:
        raise ValueError(f"the last offset is {before}, but there are {end} bytes")
    return table


def join(messages: Sequence[Bytes]) -> tuple[bytes, array[int]]:
    """Messages as one buffer with offsets."""
    offsets = array("Q", bytes(8 * (len(messages) + 1)))
    at = 0
    for i, message in enumerate(messages, 1):
        at += message.nbytes if isinstance(message, memoryview) else len(message)
        offsets[i] = at
    data = b"".join(messages)
    if len(data) != at:
        raise TypeError("messages must be bytes, bytearray or memoryview")
    return data, offsets


def keccak256(data: Bytes) -> bytes:
    """The 32-byte keccak-256 digest of ``data``, as Ethereum computes it.

    Raises TypeError for anything that is not a bytes-like object (text must be encoded first).
    """
    if type(data) is not bytes:
        data = view(data, "data")
    return _backend.active.keccak256(data)


def keccak256_many(messages: Sequence[Bytes]) -> list[bytes]:
    """The digests of many messages of any lengths, hashed several at a time.

    Raises TypeError for a message that is not a bytes-like object.
    """
    data, offsets = join(messages)
    packed = _backend.active.hash_offsets(data, offsets, -1)
    return [packed[i : i + 32] for i in range(0, len(packed), 32)]


def keccak256_equal(data: Bytes, size: int) -> bytes:
    """Digests, 32 bytes each and packed, of the messages of ``size`` bytes packed in ``data``.

    Raises ValueError if ``data`` is no whole number of messages.
    """
    seen = view(data, "data")
    return _backend.active.hash_equal(seen, size, count_of(seen, size, "messages"), -1)


def keccak256_offsets(data: Bytes, offsets: Iterable[int]) -> bytes:
    """Digests, packed, of the messages ``data[offsets[i]:offsets[i + 1]]``.

    Raises ValueError for offsets that decrease or leave the data.
    """
    seen = view(data, "data")
    return _backend.active.hash_offsets(seen, checked_offsets(offsets, len(seen)), -1)
