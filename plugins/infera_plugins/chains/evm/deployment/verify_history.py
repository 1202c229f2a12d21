"""Who holds a power, by every event that ever gave or took it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contracts import Book
from ..rpc import RpcFailureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infera.types import Address, ChainEvent

    from ..rpc import Rpc
    from .parts import Members

_EVENTS = (
    "SlasherChanged", "CourtChanged", "ExaminerChanged", "GuardianChanged", "WriterChanged",
    "RoleGranted", "RoleRevoked", "Upgraded",
)  # fmt: skip


async def history(rpc: Rpc, contracts: Mapping[str, Address], first: int) -> list[ChainEvent]:
    """Every event about powers, oldest first. A node that finds the range too wide is asked for
    less at a time.
    """
    from ..contracts import interface

    book = Book(contracts)
    topics = {
        "0x" + event.topic.hex()
        for name in contracts
        for event in interface(name).events.values()
        if event.name in _EVENTS
    }
    query = {"address": list(contracts.values()), "topics": [sorted(topics)]}
    start, newest = first, await rpc.block_number()
    span = newest - start + 1
    found: list[ChainEvent] = []
    while start <= newest:
        last = min(newest, start + span - 1)
        bounds = {"fromBlock": hex(start), "toBlock": hex(last)}
        try:
            logs = await rpc.read("eth_getLogs", query | bounds)
        except RpcFailureError:
            if span == 1:
                raise
            span = max(1, span // 4)
            continue
        found += [event for log in logs if (event := book.event(log)) is not None]
        start = last + 1
    return found


def holders(events: Sequence[ChainEvent], power: Members) -> set[Address]:
    """Who holds the power after these events."""
    held: set[Address] = set()
    for event in events:
        if event.contract != power.contract or event.name not in (power.event, power.taken):
            continue
        if any(event.args[key] != value for key, value in power.where.items()):
            continue
        given = event.name == power.event and (not power.allowed or event.args[power.allowed])
        (held.add if given else held.discard)(event.args[power.who])
    return held
