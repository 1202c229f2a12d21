"""Runs a finished job again on an engine with the same bits, and compares what was claimed."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from infera.abc import Verifier
from infera.errors import EngineError, RequestError
from infera.protocol.jobs import request_hash, response_hash, sampling_hash, token_commitment
from infera.protocol.pricing import cost
from infera.types import Completion, Finding, FinishReason, Outcome, Tier

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.abc import Case, Engine
    from infera.context import Context
    from infera.types import JobRequest
    from infera_plugins.verification.optimistic.config import OptimisticConfig

_PARTIAL = (FinishReason.CANCELLED, FinishReason.ERROR)
_NOTHING = bytes(32)


@dataclass(slots=True)
class Rerun:
    """What running the job again gave: the whole of it, or as much as a partial delivery claims."""

    prompt: tuple[int, ...]
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    points: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    """(tokens, characters) after each piece of text."""
    completion: Completion | None = None


class OptimisticVerifier(Verifier):
    """Tier 2. Needs an engine whose profile promises equal bits for equal requests."""

    tier = Tier.OPTIMISTIC
    name = "optimistic"

    def __init__(self, config: OptimisticConfig, context: Context | None = None) -> None:
        self._config = config

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    async def attest(self, request: JobRequest, completion: Completion) -> bytes:
        return completion.commitment

    async def check(self, case: Case, engine: Engine) -> Finding:
        """UPHELD, MISMATCH with what differs first, or UNDECIDED where this engine cannot tell."""
        wrong = _papers(case)
        if wrong:
            return Finding(Outcome.MISMATCH, _NOTHING, wrong)
        name = _name_of_model(engine, case.ticket.model_id)
        if name is None:
            return Finding(
                Outcome.UNDECIDED, _NOTHING, "this validator's engine has not loaded the model"
            )
        partial = case.receipt.finish_reason in _PARTIAL
        try:
            request = replace(case.request, model=name)
            limit = case.receipt.tokens_out if partial else None
            rerun = await _run(request, engine, limit)
        except RequestError as error:
            return Finding(
                Outcome.MISMATCH, _NOTHING, f"the job cannot have been done: {error.message}"
            )
        except EngineError as error:
            return Finding(Outcome.UNDECIDED, _NOTHING, f"the engine failed: {error.message}")
        if case.receipt.tokens_in != len(rerun.prompt):
            return Finding(
                Outcome.MISMATCH,
                token_commitment(rerun.prompt, rerun.tokens),
                f"the prompt has {len(rerun.prompt)} tokens, {case.receipt.tokens_in} were charged",
            )
        return _compare_partial(case, rerun) if partial else _compare(case, rerun)


def _papers(case: Case) -> str:
    """What contradicts itself before anything is computed, or nothing."""
    ticket, receipt, request = case.ticket, case.receipt, case.request
    due = cost(
        receipt.tokens_in,
        receipt.tokens_out,
        ticket.price_in,
        ticket.price_out,
        ticket.premium_bps,
    )
    checks = (
        (request_hash(request) != ticket.request_hash, "the request is not the ticket's"),
        (
            sampling_hash(request.sampling) != ticket.sampling_hash,
            "the sampling parameters are not the ticket's",
        ),
        (request.seed != ticket.seed, "the seed is not the ticket's"),
        (
            response_hash(case.text, receipt.finish_reason) != receipt.response_hash,
            "the text is not the one the receipt commits to",
        ),
        (
            receipt.tokens_out > ticket.max_tokens_out,
            f"{receipt.tokens_out} output tokens were charged, not {ticket.max_tokens_out} at most",
        ),
        (
            receipt.cost != min(due, ticket.max_cost),
            f"{receipt.cost} micro-USDC were charged, {min(due, ticket.max_cost)} are due",
        ),
    )
    return next((sentence for wrong, sentence in checks if wrong), "")


def _name_of_model(engine: Engine, model_id: bytes) -> str | None:
    """What this engine calls the weights that the ticket bought; names are a node's own affair."""
    return next((m.name for m in engine.models() if m.model_id == model_id), None)


async def _run(request: JobRequest, engine: Engine, limit: int | None) -> Rerun:
    """Run the request again; a partial job no further than the tokens it claims."""
    rerun = Rerun(await engine.encode(request))
    if limit == 0:
        return rerun
    async with aclosing(engine.generate(request)) as items:  # type: ignore[type-var]
        async for item in items:
            if isinstance(item, Completion):
                rerun.completion = item
                break
            rerun.tokens.extend(item.tokens)
            rerun.text += item.text
            rerun.points.append((len(rerun.tokens), len(rerun.text)))
            if limit is not None and len(rerun.tokens) >= limit:
                break
    return rerun


def _compare(case: Case, rerun: Rerun) -> Finding:
    receipt, mine = case.receipt, rerun.completion
    if mine is None:
        return Finding(Outcome.UNDECIDED, _NOTHING, "the engine ended without a completion")
    if case.text != mine.text:
        at = _first_difference(case.text, mine.text)
        detail = f"the text differs from character {at} on"
    elif receipt.finish_reason != mine.finish:
        detail = (
            f"the answer ends by {mine.finish.name.lower()}, "
            f"the receipt says {receipt.finish_reason.name.lower()}"
        )
    elif receipt.tokens_out != len(mine.output_tokens):
        detail = (
            f"the answer has {len(mine.output_tokens)} tokens, {receipt.tokens_out} were charged"
        )
    elif receipt.evidence != mine.commitment:
        detail = "text and counts agree, but the commitment is to other tokens"
    else:
        return Finding(
            Outcome.UPHELD,
            mine.commitment,
            f"{len(mine.output_tokens)} tokens are the same to the last bit",
        )
    return Finding(Outcome.MISMATCH, mine.commitment, detail)


def _compare_partial(case: Case, rerun: Rerun) -> Finding:
    """Where the client left, or the provider failed, must be a point on the way."""
    claimed = case.receipt.tokens_out
    if len(rerun.tokens) < claimed:
        mine = token_commitment(rerun.prompt, rerun.tokens)
        detail = f"the whole answer has {len(rerun.tokens)} tokens, {claimed} were charged"
        return Finding(Outcome.MISMATCH, mine, detail)
    mine = token_commitment(rerun.prompt, rerun.tokens[:claimed])
    # Pieces may be cut elsewhere by another engine: the text lies between the points around it.
    least = max(characters for tokens, characters in rerun.points if tokens <= claimed)
    if not rerun.text.startswith(case.text):
        at = _first_difference(case.text, rerun.text)
        return Finding(Outcome.MISMATCH, mine, f"the text differs from character {at} on")
    if len(case.text) < least:
        detail = f"{claimed} tokens were charged, but only the text of fewer was delivered"
        return Finding(Outcome.MISMATCH, mine, detail)
    if case.receipt.evidence != mine:
        return Finding(Outcome.MISMATCH, mine, "the commitment is to other tokens")
    return Finding(
        Outcome.UPHELD, mine, f"the delivered part ({claimed} tokens) is how the answer begins"
    )


def _first_difference(a: str, b: str) -> int:
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
