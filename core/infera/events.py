"""Past-tense facts on the node's bus. `line()` is what `infera up` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infera.types import Outcome


def usdc(micro: int) -> str:
    """Micro-USDC as a person reads it."""
    return f"{micro / 1_000_000:.6f} USDC"


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    def line(self) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class ComponentStarted(Event):
    kind: str
    name: str

    def line(self) -> str:
        return f"started    {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class NodeStarted(Event):
    """Every component is up."""

    name: str

    def line(self) -> str:
        return f"running    node {self.name}"


@dataclass(frozen=True, slots=True)
class ComponentStopped(Event):
    kind: str
    name: str

    def line(self) -> str:
        return f"stopped    {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ComponentFailed(Event):
    """`retry_s`: seconds until the next attempt; None if there will be none."""

    kind: str
    name: str
    reason: str
    retry_s: float | None = None

    def line(self) -> str:
        tail = "" if self.retry_s is None else f" (next attempt in {self.retry_s:g} s)"
        return f"failed     {self.kind} {self.name}: {self.reason}{tail}"


@dataclass(frozen=True, slots=True)
class ProgressMade(Event):
    """A slow step reports where it is."""

    source: str
    text: str

    def line(self) -> str:
        return f"working    {self.source}: {self.text}"


@dataclass(frozen=True, slots=True)
class FrontListening(Event):
    name: str
    base_url: str

    def line(self) -> str:
        return f"listening  {self.name} at {self.base_url}"


@dataclass(frozen=True, slots=True)
class ProviderJoined(Event):
    provider: str
    models: tuple[str, ...]

    def line(self) -> str:
        return f"joined     provider {self.provider[:10]} serves {', '.join(self.models)}"


@dataclass(frozen=True, slots=True)
class ProviderLeft(Event):
    provider: str
    reason: str

    def line(self) -> str:
        return f"left       provider {self.provider[:10]}: {self.reason}"


@dataclass(frozen=True, slots=True)
class JobDelivered(Event):
    job_id: str
    provider: str
    tokens_in: int
    tokens_out: int
    cost: int

    def line(self) -> str:
        return (
            f"delivered  job {self.job_id[:10]} by {self.provider[:10]}: "
            f"{self.tokens_in}+{self.tokens_out} tokens, {usdc(self.cost)}"
        )


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    job_id: str
    reason: str

    def line(self) -> str:
        return f"failed     job {self.job_id[:10]}: {self.reason}"


@dataclass(frozen=True, slots=True)
class BatchCommitted(Event):
    router: str
    index: int
    jobs: int
    tx: str

    def line(self) -> str:
        return f"batched    {self.jobs} job(s) in batch {self.index}, tx {self.tx[:12]}"


@dataclass(frozen=True, slots=True)
class LeafChecked(Event):
    validator: str
    batch: int
    leaf: int
    outcome: Outcome
    detail: str

    def line(self) -> str:
        found = self.outcome.name.lower()
        return f"checked    batch {self.batch} leaf {self.leaf}: {found} ({self.detail})"


@dataclass(frozen=True, slots=True)
class DebitsApplied(Event):
    router: str
    batch: int
    amount: int

    def line(self) -> str:
        return f"debited    {usdc(self.amount)} from developers' lockups (batch {self.batch})"


@dataclass(frozen=True, slots=True)
class CreditClaimed(Event):
    provider: str
    amount: int

    def line(self) -> str:
        return f"claimed    {usdc(self.amount)} by provider {self.provider[:10]}"


@dataclass(frozen=True, slots=True)
class ChainInterrupted(Event):
    reason: str

    def line(self) -> str:
        return f"chain      away, work is kept: {self.reason}"


@dataclass(frozen=True, slots=True)
class ChainRecovered(Event):
    def line(self) -> str:
        return "chain      is back"


@dataclass(frozen=True, slots=True)
class KeyIssued(Event):
    """The bearer string itself never travels on the bus."""

    account: str
    name: str

    def line(self) -> str:
        return f"issued     API key {self.name} for account {self.account[:10]}"


@dataclass(frozen=True, slots=True)
class SeatTaken(Event):
    """`ask` in micro-USDC per second."""

    provider: str
    model: str
    ask: int

    def line(self) -> str:
        return (
            f"seated     provider {self.provider[:10]} keeps {self.model} warm "
            f"for {usdc(self.ask)} a second"
        )


@dataclass(frozen=True, slots=True)
class SeatLost(Event):
    provider: str
    model: str
    reason: str

    def line(self) -> str:
        return f"unseated   provider {self.provider[:10]} from {self.model}: {self.reason}"


@dataclass(frozen=True, slots=True)
class PresencePaid(Event):
    provider: str
    amount: int

    def line(self) -> str:
        return f"earned     {usdc(self.amount)} by provider {self.provider[:10]} for its seats"


@dataclass(frozen=True, slots=True)
class FindingsReported(Event):
    """A validator told the chain's reputation what it found; `new` of it counted."""

    validator: str
    new: int

    def line(self) -> str:
        return f"reported   {self.new} finding(s) by validator {self.validator[:10]}"


@dataclass(frozen=True, slots=True)
class UpkeepDone(Event):
    task: str
    detail: str
    tx: str

    def line(self) -> str:
        return f"kept       {self.task}: {self.detail}, tx {self.tx[:12]}"


@dataclass(frozen=True, slots=True)
class UpkeepRefused(Event):
    """`retry_s`: seconds until the next attempt."""

    task: str
    reason: str
    retry_s: float

    def line(self) -> str:
        return f"waiting    {self.task}: {self.reason} (next attempt in {self.retry_s:g} s)"


@dataclass(frozen=True, slots=True)
class BatchesVoided(Event):
    """The router has taken its books back; what was in these batches is batched again."""

    router: str
    index: int
    count: int

    def line(self) -> str:
        return f"voided     {self.count} batch(es) from {self.index} on, router {self.router[:10]}"


@dataclass(frozen=True, slots=True)
class CourtActed(Event):
    """Somebody of this node went to court, or has to answer there."""

    operator: str
    text: str

    def line(self) -> str:
        return f"court      {self.operator[:10]}: {self.text}"
