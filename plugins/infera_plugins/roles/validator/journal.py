"""The verdicts a validator has given, so that no leaf is judged twice."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from infera.state.tables import verdicts

if TYPE_CHECKING:
    from infera.protocol.messages import Verdict
    from infera.state import State
    from infera.types import Address


class Journal:
    """The verdicts of one validator."""

    def __init__(self, state: State, validator: Address) -> None:
        self._state = state
        self._validator = validator

    async def has(self, router: Address, batch: int, leaf: int) -> bool:
        async with self._state.read() as conn:
            found = await conn.scalar(
                select(verdicts.c.at).where(
                    verdicts.c.validator == self._validator,
                    verdicts.c.router == router,
                    verdicts.c.batch_index == batch,
                    verdicts.c.leaf_index == leaf,
                )
            )
        return found is not None

    async def keep(
        self,
        router: Address,
        batch: int,
        leaf: int,
        verdict: Verdict,
        signature: bytes,
        detail: str,
    ) -> None:
        await self._state.write(
            verdicts.insert().values(
                validator=self._validator,
                router=router,
                batch_index=batch,
                leaf_index=leaf,
                leaf=verdict.leaf,
                outcome=int(verdict.outcome),
                evidence=verdict.evidence,
                detail=detail,
                signature=signature,
                at=int(time()),
            )
        )
