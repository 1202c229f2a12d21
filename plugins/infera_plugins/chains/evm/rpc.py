"""JSON-RPC in the plugin's terms: typed failures, retries with capped backoff, and word of
outages on the node's bus.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from infera.errors import ChainError, ChainUnavailableError, InferaError

from .transport import Transport, TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger(__name__)

BUSY_CODES = frozenset({-32005, -32016, 429})
"""What public nodes answer when asked too much at once."""

ATTEMPTS = 4
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 3.0


class RpcFailureError(ChainError):
    """The node answered with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"the chain's node refused: {message}")
        self.rpc_code = code
        self.rpc_message = message
        self.data = data

    @property
    def revert_data(self) -> bytes | None:
        """The bytes a contract reverted with, wherever this node puts them."""
        data = self.data.get("data") if isinstance(self.data, dict) else self.data
        if isinstance(data, str) and "0x" in data:
            try:
                return bytes.fromhex(data[data.index("0x") + 2 :])
            except ValueError:
                return None
        return b"" if "revert" in self.rpc_message.lower() else None


@dataclass(frozen=True, slots=True)
class Head:
    """What of a block the plugin looks at."""

    number: int
    hash: bytes
    timestamp: int
    prevrandao: bytes
    base_fee: int


class Rpc:
    """A node, asked over a transport."""

    def __init__(
        self,
        transport: Transport,
        *,
        interrupted: Callable[[str], None] = lambda _: None,
        recovered: Callable[[], None] = lambda: None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.transport = transport
        self.available = True
        self.sleep = sleep
        self._interrupted = interrupted
        self._recovered = recovered
        self._attempts = attempts

    async def once(self, method: str, *params: Any) -> Any:
        """One request. Raises `RpcFailureError` or `ChainUnavailableError`."""
        try:
            answer = await self.transport.make_request(method, list(params))
        except TransportError as e:
            raise self._away(str(e)) from e
        error = answer.get("error")
        if error is not None:
            if not isinstance(error, dict):
                error = {"code": -32000, "message": str(error)}
            code, message = error.get("code", -32000), str(error.get("message", "unknown error"))
            if code in BUSY_CODES:
                raise self._away(message)
            self._back()
            raise RpcFailureError(code, message, error.get("data"))
        self._back()
        return answer.get("result")

    async def read(self, method: str, *params: Any) -> Any:
        """A request that may be repeated: tried again, ever later, while the node is away."""
        delay = FIRST_DELAY_S
        for attempt in range(self._attempts):
            try:
                return await self.once(method, *params)
            except ChainUnavailableError:
                if attempt + 1 == self._attempts:
                    raise
                await self.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY_S)
        raise AssertionError("unreachable")

    def _away(self, reason: str) -> ChainUnavailableError:
        if self.available:
            self.available = False
            log.warning("the chain's node does not answer: %s", reason)
            self._interrupted(reason)
        return ChainUnavailableError(
            f"the chain's node does not answer: {reason}", hint="work is kept and tried again"
        )

    def _back(self) -> None:
        if not self.available:
            self.available = True
            log.info("the chain's node answers again")
            self._recovered()

    # -- the few plain questions

    async def chain_id(self) -> int:
        """The chain's number."""
        return int(await self.read("eth_chainId"), 16)

    async def block_number(self) -> int:
        """Number of the newest block."""
        return int(await self.read("eth_blockNumber"), 16)

    async def head(self, block: int | str = "latest") -> Head | None:
        """A block's header, or None while there is no such block."""
        wanted = hex(block) if isinstance(block, int) else block
        answer = await self.read("eth_getBlockByNumber", wanted, False)
        if answer is None:
            return None
        return Head(
            number=int(answer["number"], 16),
            hash=unhex(answer["hash"]),
            timestamp=int(answer["timestamp"], 16),
            prevrandao=unhex(answer.get("mixHash") or "0x"),
            base_fee=int(answer.get("baseFeePerGas") or "0x0", 16),
        )

    async def code(self, address: str) -> bytes:
        """What code stands at an address."""
        return unhex(await self.read("eth_getCode", address, "latest"))

    async def balance(self, address: str) -> int:
        """Native money, in wei."""
        return int(await self.read("eth_getBalance", address, "latest"), 16)


def unhex(text: str) -> bytes:
    """Bytes of a 0x string."""
    return bytes.fromhex(text[2:])


@contextmanager
def first_error() -> Iterator[None]:
    """What a task group raised, as the one error a caller can handle."""
    try:
        yield
    except* InferaError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
