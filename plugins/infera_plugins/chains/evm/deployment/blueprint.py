"""What a deployment consists of: what is created, with which arguments; what is wired to what; how
it is handed over; and who may do what in the end.

One list, read twice: `deployment` carries it out, `verify` reads all of it back. What is not in
here is not deployed, and what is in here is verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .creations import creations
from .parts import Creation, Members, Wire
from .wiring import hand_over, members, pool_wire, wires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infera.types import Address

    from .terms import Terms


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Steps in order, and where contracts stand that are not made here."""

    terms: Terms
    steps: tuple[Creation | Wire, ...]
    members: tuple[Members, ...]
    external: Mapping[str, Address]
    """Contracts of others that the manifest names too."""
    foreign: Mapping[str, Address]
    """Contracts of others that are only called."""

    @property
    def creations(self) -> tuple[Creation, ...]:
        """What is created, in order."""
        return tuple(step for step in self.steps if isinstance(step, Creation))

    @property
    def wires(self) -> tuple[Wire, ...]:
        """What is called, in order."""
        return tuple(step for step in self.steps if isinstance(step, Wire))

    @property
    def handed(self) -> tuple[str, ...]:
        """What the deployer owns until it is wired."""
        return tuple(c.name for c in self.creations if c.owner == "handed")

    @property
    def names(self) -> tuple[str, ...]:
        """Every contract the manifest will have."""
        made = [name for c in self.creations for name in (c.name, *c.makes)]
        return (*self.external, *made)


def draw(terms: Terms) -> Blueprint:
    """The blueprint of a network on these terms."""
    made = creations(terms)
    steps: list[Creation | Wire] = []
    for creation in made:
        if creation.name == "Buyback":
            steps.append(pool_wire(terms))
        steps.append(creation)
    steps += [*wires(terms), *hand_over(terms, made)]
    external, foreign = {}, {}
    if terms.usdc is not None:
        external["USDC"] = terms.usdc
    if terms.launch.price.feed is not None:
        external["PriceFeed"] = terms.launch.price.feed
    if terms.launch.market.pool_factory is not None:
        foreign["UniswapV3Factory"] = terms.launch.market.pool_factory
    return Blueprint(terms, tuple(steps), tuple(members(terms)), external, foreign)
