"""Events that have been, looked up by what is indexed in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infera.protocol.abi import address_word

from .contracts import interface
from .rpc import RpcFailureError

if TYPE_CHECKING:
    from infera.types import Address, ChainEvent

    from .chain import EvmChain


async def history(
    chain: EvmChain, contract: str, event: str, *indexed: Address | bytes | None
) -> list[ChainEvent]:
    """Every such event of a contract since it was deployed, oldest first.

    `indexed` are the values of the event's indexed arguments in their order: an address, 32 bytes,
    or None for any.
    """
    topics: list[str | None] = ["0x" + interface(contract).event(event).topic.hex()]
    for value in indexed:
        word = address_word(value) if isinstance(value, str) else value
        topics.append(None if word is None else "0x" + word.hex())
    query: dict[str, Any] = {"address": chain.contracts[contract], "topics": topics}
    book = chain.session.book
    start, newest = chain.session.first_block, await chain.rpc.block_number()
    span = newest - start + 1
    found: list[ChainEvent] = []
    while start <= newest:
        last = min(newest, start + span - 1)
        bounds = {"fromBlock": hex(start), "toBlock": hex(last)}
        try:
            entries = await chain.rpc.read("eth_getLogs", query | bounds)
        except RpcFailureError:
            if span == 1:
                raise
            span = max(1, span // 4)
            continue
        found += [known for entry in entries if (known := book.event(entry)) is not None]
        start = last + 1
    return sorted(found, key=lambda e: (e.position.block, e.position.log_index))
