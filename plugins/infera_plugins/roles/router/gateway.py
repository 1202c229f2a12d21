"""The router as fronts see it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING, Any

import orjson

from infera.abc import Gateway, JobStream, StreamOptions
from infera.errors import ErrorType, ProtocolError, RequestError
from infera.keys import recover
from infera.protocol.apikeys import key_hash
from infera.protocol.jobs import request_hash
from infera.types import Address, Caller, JobRequest, ModelListing, Sampling, Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from infera.protocol.messages import KeyGrant
    from infera_plugins.roles.router.dispatch import Dispatcher
    from infera_plugins.roles.router.publication import Publication
    from infera_plugins.roles.router.settlement import Settlement
    from infera_plugins.roles.router.store import StoredJob

_MAX_GRANT_LIFE_S = 10 * 365 * 86_400


class RouterGateway(Gateway):
    """Glues a dispatcher, its ledger and its settlement into the front's interface."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        settlement: Settlement,
        publication: Publication,
        endpoint: str,
        pick_tier: Callable[[JobRequest], Tier | None],
    ) -> None:
        self._d = dispatcher
        self._publication = publication
        self._settlement = settlement
        self._endpoint = endpoint
        self._pick_tier = pick_tier
        self._running: set[tuple[str, str]] = set()

    def authenticate(self, api_key: str) -> Caller:
        try:
            hashed = key_hash(api_key)
        except ProtocolError:
            hashed = b""
        book = self._d.ledger.usable_grant(hashed, int(time()))
        return Caller(book.grant.account, book.grant.key_hash, book.digest)

    def models(self) -> Sequence[ModelListing]:
        rows = []
        index = self._d.index
        for name in index.on_offer():
            peers = index.offering(name)
            served = [m for p in peers if (m := index.served(p, name)) is not None]
            rows.append(
                ModelListing(
                    name=name,
                    model_id=served[0].model_id,
                    context_length=max(m.context_length for m in served),
                    price_in=min(p.offer.price_in for p in peers),
                    price_out=min(p.offer.price_out for p in peers),
                    tiers=tuple(sorted({Tier(t) for p in peers for t in p.offer.tiers})),
                    providers=len(peers),
                    created=min(p.joined_at for p in peers),
                    official=served[0].model_id in index.names.official,
                )
            )
        return rows

    def default_sampling(self, model: str) -> Sampling:
        index = self._d.index
        served = next((m for p in index.offering(model) if (m := index.served(p, model))), None)
        return Sampling() if served is None else served.sampling

    @asynccontextmanager
    async def submit(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[JobStream]:
        if options.tier_open:
            picked = self._pick_tier(request)
            request = replace(request, tier=Tier.OPTIMISTIC if picked is None else picked)
        if idempotency_key is None:
            async with self._fresh(caller, request, options, None) as job:
                yield job
            return
        # The database refuses a second row for the pair; this keeps two requests of the same moment
        # apart before that.
        pair = (caller.account, idempotency_key)
        if pair in self._running:
            raise _conflict(
                "A request with this Idempotency-Key is still running.", "idempotency_in_progress"
            )
        self._running.add(pair)
        try:
            earlier = await self._d.store.idempotent(caller.account, idempotency_key)
            if earlier is not None:
                yield await self._replay(earlier, request, options)
                return
            async with self._fresh(caller, request, options, idempotency_key) as job:
                yield job
        finally:
            self._running.discard(pair)

    @asynccontextmanager
    async def _fresh(
        self,
        caller: Caller,
        request: JobRequest,
        options: StreamOptions,
        idempotency_key: str | None,
    ) -> AsyncIterator[JobStream]:
        job = await self._d.start(caller, request, options, idempotency_key)
        try:
            yield job
        finally:
            await job.close()

    async def _replay(
        self, earlier: StoredJob, request: JobRequest, options: StreamOptions
    ) -> JobStream:
        """The stored answer of a finished job with the same key and the same request; nothing is
        charged again.
        """
        done = earlier.request
        name = request.model
        if name != done.model and self._d.index.names.get(name) == earlier.ticket.model_id:
            name = done.model  # it was asked for by its official name
        asked = replace(
            request,
            model=name,
            seed=done.seed if request.seed is None else request.seed,
            max_tokens=done.max_tokens if request.max_tokens is None else request.max_tokens,
        )
        if request_hash(asked) != request_hash(done):
            raise _conflict(
                "This Idempotency-Key was used for a different request.", "idempotency_key_reused"
            )
        if earlier.receipt is None:
            raise _conflict(
                "The first request with this Idempotency-Key has not finished.",
                "idempotency_in_progress",
            )
        return ReplayedJob(earlier, options, await self._publication.receipt(earlier))

    async def receipt(self, caller: Caller, job_id: str) -> dict[str, Any]:
        try:
            job = await self._d.store.find_job(
                bytes.fromhex(job_id.removeprefix("0x").split("-")[-1])
            )
        except ValueError:
            job = None
        if job is None or job.ticket.account != caller.account or job.receipt is None:
            raise RequestError(
                f"No receipt for job {job_id!r}: it is unknown, unfinished, or another account's.",
                code="receipt_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
            )
        return await self._publication.receipt(job)

    async def account(self, caller: Caller) -> dict[str, Any]:
        ledger = self._d.ledger
        book, grant = ledger.account(caller.account), ledger.grants[caller.grant]
        return {
            "account": book.address,
            "router": self._d.address,
            "free": book.free,
            "locked": book.locked,
            "available": max(book.available, 0),
            "reserved": book.reserved,
            "unsettled": book.unsettled,
            "spent": book.charged,
            "key": {
                "spent": grant.charged,
                "spent_today": grant.charged_today,
                "per_job_cap": grant.grant.per_job_cap,
                "daily_cap": grant.grant.daily_cap,
                "total_cap": grant.grant.total_cap,
                "not_after": grant.grant.not_after,
            },
        }

    async def account_of(self, address: Address) -> dict[str, Any]:
        book = await self._settlement.look(address)
        return {
            "address": book.address,
            "generation": book.generation,
            "free": book.free,
            "locked": book.locked,
        }

    async def register_grant(self, grant: KeyGrant, signature: bytes) -> bytes:
        digest = grant.digest(self._d.domain)
        now = int(time())
        complaint = None
        try:
            if recover(digest, signature) != grant.account:
                complaint = "the grant is not signed by its account"
        except ProtocolError as error:
            complaint = error.message
        if self._d.address not in grant.routers:
            complaint = f"the grant does not name this router, {self._d.address}"
        elif not grant.not_before < grant.not_after or grant.not_after <= now:
            complaint = "the grant has expired or is never valid"
        elif grant.not_after > now + _MAX_GRANT_LIFE_S:
            complaint = "the grant lives longer than ten years"
        known = self._d.ledger.by_key.get(grant.key_hash)
        if known is not None and known.grant.account != grant.account:
            complaint = "another account already uses this key"
        # Read the chain before saying yes, so that what is revoked is refused here and not at the
        # first call.
        chain = self._settlement.chain
        if complaint is None and grant.generation != await chain.generation(grant.account):
            complaint = "the grant's generation is not the account's current one"
        elif complaint is None and await chain.grant_revoked(grant.account, digest):
            complaint = "its account has revoked it"
        if complaint is not None:
            raise RequestError(
                f"Grant refused: {complaint}.", code="grant_refused", status=400, param="grant"
            )
        # Written down first: what is charged under it must be found again after a crash.
        await self._d.store.keep_grant(digest, grant, signature)
        self._d.ledger.add(digest, grant, signature)
        await self._settlement.refresh(grant.account)
        return digest

    async def batch_leaves(self, index: int) -> dict[str, Any]:
        batch = await self._publication.batch(index)
        if batch is None:
            raise RequestError(
                f"This router has no batch {index}.",
                code="batch_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
            )
        return batch

    def network(self) -> dict[str, Any]:
        d = self._d
        return {
            "router": d.address,
            "hot_key": d.hot.address,
            "endpoint": self._endpoint,
            "chain_id": d.domain.chain_id,
            "registry": d.domain.verifying_contract,
            "providers": [
                {
                    "address": p.address,
                    "models": sorted(p.models),
                    "tiers": [int(t) for t in p.offer.tiers],
                    "price_in": p.offer.price_in,
                    "price_out": p.offer.price_out,
                    "capacity": p.offer.capacity,
                    "in_flight": p.in_flight,
                    "latency_ms": round(p.latency_s * 1000),
                    "error_rate": round(p.error_rate, 4),
                    "region": p.offer.region,
                    "draining": p.draining,
                    "served": p.served,
                }
                for p in d.index.peers.values()
            ],
        }


class ReplayedJob(JobStream):
    """A finished job told again: one event with the whole text when streamed, the same body
    otherwise.
    """

    def __init__(self, job: StoredJob, options: StreamOptions, evidence: dict[str, Any]) -> None:
        self.job_id = job.job_id.hex()
        self._job = job
        self._options = options
        self._evidence = evidence

    async def __aiter__(self) -> AsyncIterator[bytes]:
        job, receipt = self._job, self._job.receipt
        assert receipt is not None
        chat = job.request.kind == "chat"
        usage = {
            "prompt_tokens": receipt.tokens_in,
            "completion_tokens": receipt.tokens_out,
            "total_tokens": receipt.tokens_in + receipt.tokens_out,
        }
        base: dict[str, Any] = {
            "id": ("chatcmpl-" if chat else "cmpl-") + self.job_id,
            "created": receipt.completed_at,
            "model": job.request.model,
        }
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": receipt.finish_reason.openai,
            "logprobs": None,
        }
        turn = {"role": "assistant", "content": job.text}
        if not self._options.stream:
            choice |= {"message": {**turn, "refusal": None}} if chat else {"text": job.text}
            kind = "chat.completion" if chat else "text_completion"
            body = {
                **base,
                "object": kind,
                "choices": [choice],
                "usage": usage,
                "infera": self._evidence,
            }
            yield orjson.dumps(body)
            return
        choice |= {"delta": turn} if chat else {"text": job.text}
        base["object"] = "chat.completion.chunk" if chat else "text_completion"
        body = {**base, "choices": [choice], "infera": self._evidence}
        yield b"data: " + orjson.dumps(body) + b"\n\n"
        if self._options.include_usage:
            yield b"data: " + orjson.dumps({**base, "choices": [], "usage": usage}) + b"\n\n"
        yield b"data: [DONE]\n\n"


def _conflict(message: str, code: str) -> RequestError:
    return RequestError(message, code=code, status=409)
