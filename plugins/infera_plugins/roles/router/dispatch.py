"""A request on its way to a provider: reserve, choose, sign a ticket, open the stream.

Until the first byte has reached the caller a job may move to another provider, under a new ticket
and the same reservation, so there is exactly one charge. `running` relays from there on, `desk`
takes the receipt.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from time import time
from typing import TYPE_CHECKING, Any

import anyio

from infera.errors import ErrorType, InferaError, RequestError
from infera.events import JobFailed
from infera.protocol.jobs import canonical_json, request_hash, request_to_json, sampling_hash
from infera.protocol.messages import JobTicket
from infera.protocol.pricing import cost
from infera_plugins.roles.router.running import Attempt, RunningJob, Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from infera.abc import StreamOptions
    from infera.keys import Signer
    from infera.protocol.eip712 import Domain
    from infera.types import Address, Caller, JobRequest
    from infera_plugins.roles.router.config import RouterConfig
    from infera_plugins.roles.router.demand import Demand
    from infera_plugins.roles.router.desk import ReceiptDesk
    from infera_plugins.roles.router.index import Candidate, ProviderIndex, ServedModel
    from infera_plugins.roles.router.ledger import Ledger, Reservation
    from infera_plugins.roles.router.store import Store

_TEMPLATE_TOKENS = 32
"""Tokens a chat template may add per message on top of the text's own."""

_CLOSING_S = 10.0


@dataclass(slots=True)
class Dispatcher:
    """Sends jobs of all callers; owns nothing that outlives the process (that is `Store` and
    `Ledger`).
    """

    config: RouterConfig
    address: Address
    hot: Signer
    domain: Domain
    index: ProviderIndex
    demand: Demand
    ledger: Ledger
    store: Store
    desk: ReceiptDesk
    tasks: TaskGroup
    pick: Callable[[JobRequest, list[Candidate]], Candidate]

    async def start(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None,
    ) -> RunningJob:
        """Everything up to the provider's first frame. Raises `RequestError`; then nothing is
        charged.
        """
        now = int(time())
        book = self.ledger.usable_grant(caller.key_hash, now)
        request, bound_in = self._bounded(request)
        job_id = secrets.token_bytes(32)
        tried: set[Address] = set()
        refusal: RequestError | None = None
        reservation: Reservation | None = None
        job: RunningJob | None = None
        terms = Terms(self.hot.address, self.config.job_timeout_s, self.tasks)
        try:
            for _ in range(self.config.attempts):
                chosen = self._choose(
                    request, bound_in, book.grant.max_price_in, book.grant.max_price_out, tried
                )
                if chosen is None:
                    break
                winner, served, decision = chosen
                if book.grant.models and served.model_id not in book.grant.models:
                    raise RequestError(
                        f"This API key may not use the model {request.model!r}.",
                        code="model_not_allowed",
                        status=403,
                        param="model",
                    )
                limit_in = min(bound_in, served.context_length)
                # The provider's engine knows the manifest's name, not an official one.
                ordered = replace(request, model=served.name)
                offer = winner.peer.offer
                assert request.max_tokens is not None
                ceiling = cost(
                    limit_in, request.max_tokens, offer.price_in, offer.price_out, offer.premium_bps
                )
                # A dearer provider on a later attempt needs a larger reservation: take the new one
                # before the old goes.
                if reservation is None or reservation.amount < ceiling:
                    fresh = self.ledger.reserve(book, ceiling, now)
                    if reservation is not None:
                        self.ledger.release(reservation)
                    reservation = fresh
                attempt = self._ticket(
                    job_id, caller, ordered, winner, served, limit_in, ceiling, decision
                )
                tried.add(winner.peer.address)
                await self.store.open_job(
                    attempt.ticket,
                    attempt.signature,
                    canonical_json(request_to_json(ordered)),
                    idempotency_key,
                    decision,
                )
                job = RunningJob(self.desk, terms, attempt, ordered, options, reservation)
                try:
                    await job.open()
                except RequestError as error:
                    refusal = error
                    if not job.retry:
                        break
                else:
                    self.demand.placed(request.model)
                    return job
            if refusal is None:
                raise self._nobody(request)
            if refusal.code == "provider_busy":
                self.demand.refused(request.model, busy=True)
            raise refusal
        except BaseException as error:
            if reservation is not None and not (job is not None and job.detached):
                with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSING_S):
                    await self.desk.abandon(job_id, reservation)
                if job is not None:
                    reason = error.message if isinstance(error, InferaError) else "cancelled"
                    self.desk.bus.publish(JobFailed(job_id.hex(), reason))
            raise

    def _bounded(self, request: JobRequest) -> tuple[JobRequest, int]:
        """Fill in what a ticket needs: seed and output limit; and bound the prompt's tokens by
        its bytes.
        """
        peers = self.index.offering(request.model)
        if not peers:
            raise self._nobody(request)
        served = (self.index.served(p, request.model) for p in peers)
        context = max(m.context_length for m in served if m is not None)
        wanted = request.max_tokens or min(self.config.default_max_tokens, context)
        if wanted > context:
            raise RequestError(
                f"max_tokens is {wanted}, but {request.model} has a context of {context} tokens.",
                code="context_length_exceeded",
                param="max_tokens",
            )
        text = [m.content for m in request.messages] or [request.prompt]
        bound = sum(len(t.encode()) + _TEMPLATE_TOKENS for t in text) + _TEMPLATE_TOKENS
        seed = secrets.randbits(63) if request.seed is None else request.seed
        return replace(request, max_tokens=wanted, seed=seed), min(bound, context)

    def _nobody(self, request: JobRequest) -> RequestError:
        name = request.model
        known = {m for p in self.index.peers.values() for m in p.models}
        if name not in known and name not in self.index.names:
            return RequestError(
                f"The model {name!r} does not exist. GET /v1/models lists those that do.",
                code="model_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
                param="model",
            )
        self.demand.refused(name)
        return RequestError(
            f"No provider can take a {request.tier.name.lower()} job for {name!r} "
            "at your key's prices right now.",
            code="no_provider_available",
            status=503,
            type=ErrorType.SERVER,
            retry_after_s=2,
        )

    def _choose(
        self,
        request: JobRequest,
        bound_in: int,
        max_in: int,
        max_out: int,
        tried: set[Address],
    ) -> tuple[Candidate, ServedModel, dict[str, Any]] | None:
        tokens = (bound_in, request.max_tokens or 0)
        ranked = self.index.rank(request.model, request.tier, tokens, (max_in, max_out), tried)
        if not ranked:
            return None
        winner = self.pick(request, ranked)
        served = self.index.served(winner.peer, request.model)
        assert served is not None
        weights = self.index.weights
        return (
            winner,
            served,
            {
                "model": request.model,
                "tier": int(request.tier),
                "candidates": [c.to_json() for c in ranked[:16]],
                "considered": len(ranked),
                "weights": {
                    "price": weights.price,
                    "latency": weights.latency,
                    "load": weights.load,
                    "errors": weights.errors,
                },
                "winner": winner.peer.address,
            },
        )

    def _ticket(
        self,
        job_id: bytes,
        caller: Caller,
        request: JobRequest,
        winner: Candidate,
        served: ServedModel,
        limit_in: int,
        ceiling: int,
        decision: dict[str, Any],
    ) -> Attempt:
        offer, now = winner.peer.offer, int(time())
        assert request.seed is not None
        assert request.max_tokens is not None
        ticket = JobTicket(
            job_id=job_id,
            sequence=self.store.next_sequence(),
            router=self.address,
            account=caller.account,
            grant=caller.grant,
            provider=winner.peer.address,
            model_id=served.model_id,
            tier=request.tier,
            request_hash=request_hash(request),
            sampling_hash=sampling_hash(request.sampling),
            seed=request.seed,
            price_in=offer.price_in,
            price_out=offer.price_out,
            premium_bps=offer.premium_bps,
            max_tokens_in=limit_in,
            max_tokens_out=request.max_tokens,
            max_cost=ceiling,
            issued_at=now,
            deadline=now + self.config.job_timeout_s,
        )
        digest = ticket.digest(self.domain)
        return Attempt(winner.peer, ticket, digest, self.hot.sign(digest), decision)
