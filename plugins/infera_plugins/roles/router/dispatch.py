"""One request through the network: reserve, choose, sign a ticket, relay, check the receipt,
charge.

Until the first byte has reached the caller a job may move to another provider, under a new ticket
and the same reservation, so there is
exactly one charge. Afterwards the provider's receipt for what was delivered decides.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field, replace
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from anyio import get_cancelled_exc_class

from infera.abc import JobStream, StreamOptions
from infera.errors import ErrorType, InferaError, ProtocolError, RequestError, StateError
from infera.events import JobDelivered, JobFailed
from infera.keys import Signer, recover
from infera.protocol.jobs import canonical_json, request_hash, request_to_json, sampling_hash
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.pricing import cost
from infera.protocol.receipts import Bundle
from infera.protocol.rules import receipt_faults
from infera.transport.frames import Frame, FrameType
from infera.transport.sockets import LinkLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from infera.bus import EventBus
    from infera.protocol.eip712 import Domain
    from infera.transport.link import Stream
    from infera.types import Address, Caller, JobRequest
    from infera_plugins.roles.router.config import RouterConfig
    from infera_plugins.roles.router.index import Candidate, Peer, ProviderIndex
    from infera_plugins.roles.router.ledger import Ledger, Reservation
    from infera_plugins.roles.router.store import Store

_TEMPLATE_TOKENS = 32
"""Tokens a chat template may add per message on top of the text's own."""

_GRACE_S = 10.0
"""How long a cancelled job's receipt is waited for on the open connection; later ones come by
reconnection.
"""

_REFUSALS = frozenset({400, 404, 413, 422, 500, 502, 503, 504})
"""HTTP statuses a provider may answer a job with."""

_MESSAGE_CHARACTERS = 500

_CLOSED = "the job was closed after its deadline, or given to another provider"


@dataclass(slots=True)
class Attempt:
    """One ticket at one provider."""

    peer: Peer
    ticket: JobTicket
    digest: bytes
    signature: bytes
    decision: dict[str, Any]


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
    ledger: Ledger
    store: Store
    bus: EventBus
    tasks: anyio.abc.TaskGroup
    pick: Callable[[JobRequest, list[Candidate]], Candidate]
    suspended: dict[bytes, tuple[Reservation, int]] = field(default_factory=dict)
    """Jobs whose provider was lost: the reservation stands until the ticket's deadline, for the
    late receipt.
    """

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
        try:
            for _ in range(self.config.attempts):
                chosen = self._choose(
                    request, bound_in, book.grant.max_price_in, book.grant.max_price_out, tried
                )
                if chosen is None:
                    break
                winner, decision = chosen
                if (
                    book.grant.models
                    and winner.peer.models[request.model].model_id not in book.grant.models
                ):
                    raise RequestError(
                        f"This API key may not use the model {request.model!r}.",
                        code="model_not_allowed",
                        status=403,
                        param="model",
                    )
                limit_in = min(bound_in, winner.peer.models[request.model].context_length)
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
                attempt = self._ticket(job_id, caller, request, winner, limit_in, ceiling, decision)
                tried.add(winner.peer.address)
                await self.store.open_job(
                    attempt.ticket,
                    attempt.signature,
                    canonical_json(request_to_json(request)),
                    idempotency_key,
                    decision,
                )
                job = RunningJob(self, attempt, request, options, reservation)
                try:
                    await job.open()
                except RequestError as error:
                    refusal = error
                    if not job.retry:
                        break
                else:
                    return job
            raise refusal or self._nobody(request)
        except BaseException as error:
            if reservation is not None and not (job is not None and job.detached):
                with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _GRACE_S):
                    await self.abandon(job_id, reservation)
                if job is not None:
                    reason = error.message if isinstance(error, InferaError) else "cancelled"
                    self.bus.publish(JobFailed(job_id.hex(), reason))
            raise

    async def abandon(self, job_id: bytes, reservation: Reservation) -> None:
        """Close a job that costs nothing; if that cannot be written down now, `expire` will."""
        self.ledger.release(reservation)
        try:
            await self.store.fail_job(job_id)
        except StateError:
            self.suspended[job_id] = (reservation, 0)

    async def deliver(
        self,
        ticket: JobTicket,
        receipt: JobReceipt,
        signature: bytes,
        text: str,
        reservation: Reservation | None,
    ) -> bool:
        """Write a good receipt down and charge it, once; False if the job is closed."""
        fresh = await self.store.deliver_job(ticket.job_id, receipt, signature, text)
        now = int(time())
        if reservation is not None and not (fresh and reservation.open):
            self.ledger.release(reservation)
        if not fresh:
            return False
        if reservation is not None and reservation.open:
            self.ledger.settle(reservation, receipt.cost, now)
        else:
            self.ledger.charge(self.ledger.grants[ticket.grant], receipt.cost, now)
        self.bus.publish(
            JobDelivered(
                ticket.job_id.hex(),
                ticket.provider,
                receipt.tokens_in,
                receipt.tokens_out,
                receipt.cost,
            )
        )
        return True

    def _bounded(self, request: JobRequest) -> tuple[JobRequest, int]:
        """Fill in what a ticket needs: seed and output limit; and bound the prompt's tokens by
        its bytes.
        """
        peers = self.index.offering(request.model)
        if not peers:
            raise self._nobody(request)
        context = max(p.models[request.model].context_length for p in peers)
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
        if name not in known and name not in self.index.pinned:
            return RequestError(
                f"The model {name!r} does not exist. GET /v1/models lists those that do.",
                code="model_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
                param="model",
            )
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
    ) -> tuple[Candidate, dict[str, Any]] | None:
        tokens = (bound_in, request.max_tokens or 0)
        ranked = self.index.rank(request.model, request.tier, tokens, (max_in, max_out), tried)
        if not ranked:
            return None
        winner = self.pick(request, ranked)
        weights = self.index.weights
        return winner, {
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
        }

    def _ticket(
        self,
        job_id: bytes,
        caller: Caller,
        request: JobRequest,
        winner: Candidate,
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
            model_id=winner.peer.models[request.model].model_id,
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

    def complaint(
        self, ticket: JobTicket, receipt: JobReceipt, signature: bytes, text: str, hot_key: Address
    ) -> str | None:
        """What is wrong with a receipt for this ticket, if anything."""
        if recover(receipt.digest(self.domain), signature) != hot_key:
            return "it is not signed by the provider"
        faults = receipt_faults(ticket, ticket.digest(self.domain), receipt, text)
        return "; ".join(faults) or None

    async def late_receipt(
        self, body: dict[str, Any], provider: Address, hot_key: Address
    ) -> str | None:
        """Take the receipt of an interrupted job from a provider that is back; returns the
        complaint, if any.

        Taking one twice is harmless: a provider offers again what was not acknowledged.
        """
        receipt = JobReceipt.from_json(body["receipt"])
        signature = bytes.fromhex(str(body["signature"]).removeprefix("0x"))
        text = str(body["text"])
        job = await self.store.find_job(bytes.fromhex(str(body["job"])))
        if (
            job is None
            or job.ticket.provider != provider
            or job.ticket.digest(self.domain) != receipt.ticket
        ):
            return "this router has no such ticket open with you"
        if job.delivered:
            return None
        if not job.open:
            return _CLOSED
        complaint = self.complaint(job.ticket, receipt, signature, text, hot_key)
        if complaint is not None:
            return complaint
        reservation, deadline = self.suspended.pop(job.ticket.job_id, (None, 0))
        try:
            if await self.deliver(job.ticket, receipt, signature, text, reservation):
                return None
        except StateError:
            if reservation is not None:
                self.suspended[job.ticket.job_id] = (reservation, deadline)
            raise
        again = await self.store.find_job(job.ticket.job_id)
        return None if again is not None and again.delivered else _CLOSED

    async def expire(self) -> None:
        """Close interrupted jobs whose deadline has passed and give their reservations back."""
        now = int(time())
        for job_id, (reservation, deadline) in list(self.suspended.items()):
            if deadline < now and self.suspended.pop(job_id, None) is not None:
                await self.abandon(job_id, reservation)
                if deadline:
                    reason = "the provider never delivered a receipt"
                    self.bus.publish(JobFailed(job_id.hex(), reason))


class RunningJob(JobStream):
    """A job at a provider, after `open`; iterating relays it."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        attempt: Attempt,
        request: JobRequest,
        options: StreamOptions,
        reservation: Reservation,
    ) -> None:
        self.job_id = attempt.ticket.job_id.hex()
        self.retry = False
        self.detached = False
        """The caller left before the answer began; `_drain` takes the receipt."""
        self._d = dispatcher
        self._attempt = attempt
        self._request = request
        self._options = options
        self._reservation = reservation
        self._first: Frame | None = None
        self._stream: Stream | None = None
        self._manager: Any = None
        self._done = False

    async def open(self) -> None:
        """Dispatch and wait for the first frame. Raises `RequestError`; `retry` says whether
        another provider may try.
        """
        peer, attempt = self._attempt.peer, self._attempt
        payload = orjson.dumps(
            {
                "ticket": attempt.ticket.to_json(),
                "signature": attempt.signature.hex(),
                "request": request_to_json(self._request),
                "options": {
                    "stream": self._options.stream,
                    "include_usage": self._options.include_usage,
                },
            }
        )
        peer.in_flight += 1
        started = monotonic()
        opened = False
        try:
            with anyio.fail_after(self._d.config.job_timeout_s):
                self._manager = peer.link.open(FrameType.OPEN, payload)
                self._stream = await self._manager.__aenter__()
                self._first = await self._stream.receive()
            if self._first.type is FrameType.FAIL:
                raise self._refused(self._first)
            if self._options.stream:
                peer.observe_latency(monotonic() - started)
            opened = True
        except LinkLostError as lost:
            self.retry = True
            raise _unavailable(
                f"The provider was lost before it answered ({lost.message})."
            ) from None
        except ProtocolError as broken:
            raise RequestError(broken.message, code="request_too_large", status=413) from None
        except TimeoutError:
            self.retry = True
            raise _unavailable("The provider did not answer in time.") from None
        except get_cancelled_exc_class():
            self.detached = self._stream is not None
            raise
        finally:
            if self.detached:
                self._d.tasks.start_soon(self._drain)
            elif not opened:
                peer.observe_outcome(failed=self.retry)
                await self._leave(cancel=self._first is None)

    def _refused(self, frame: Frame) -> RequestError:
        """A `FAIL` frame in the caller's terms. A provider decides about the job, not about what
        the caller may do here: its word for 401 or 200 counts for nothing.
        """
        try:
            body = frame.json()
        except ProtocolError as error:
            return self._broken(error.message)
        self.retry = body.get("retry") is True
        status = body.get("status")
        if status not in _REFUSALS:
            status = 502
        code, param = body.get("code"), body.get("param")
        return RequestError(
            str(body.get("message", "The provider refused the job."))[:_MESSAGE_CHARACTERS],
            code=code if isinstance(code, str) and len(code) <= 64 else "provider_refused",
            status=status,
            type=ErrorType.INVALID_REQUEST if status < 500 else ErrorType.SERVER,
            param=param if isinstance(param, str) and len(param) <= 64 else None,
            retry_after_s=2 if status == 503 else None,
        )

    def _broken(self, how: str) -> RequestError:
        return _unavailable(f"The provider broke the protocol ({how}); nothing is charged.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._stream is not None
        assert self._first is not None
        frame = self._first
        try:
            while frame.type is FrameType.CHUNK and self._options.stream:
                yield frame.payload
                frame = await self._stream.receive()
            if frame.type is FrameType.FAIL:
                raise self._refused(frame)
            tail = await self._finish(frame)
        except LinkLostError as lost:
            # The provider keeps a receipt for what it delivered and hands it over when it is back;
            # until the ticket's deadline the reservation stands.
            self._done = True
            self._attempt.peer.observe_outcome(failed=True)
            self._suspend()
            raise _unavailable(
                f"The provider was lost in the middle of the answer ({lost.message})."
            ) from None
        except RequestError as error:
            self._done = True
            self._attempt.peer.observe_outcome(failed=True)
            await self._abandon(error.message)
            raise
        except StateError:
            # What was streamed was delivered: the provider offers the receipt again. What was not
            # streamed stays here, and the caller is told to ask again.
            self._done = True
            if self._options.stream:
                self._suspend()
            else:
                await self._abandon("its receipt could not be written down")
            raise
        for piece in tail:
            yield piece

    async def _finish(self, frame: Frame) -> list[bytes]:
        """Take the receipt, charge, and make the last bytes."""
        if frame.type is not FrameType.END:
            raise self._broken(f"it ended a job with {frame.type.name}")
        try:
            body = frame.json()
        except ProtocolError as error:
            raise self._broken(error.message) from None
        final, usage = body.get("final"), body.get("usage")
        if not isinstance(final, dict) or not (usage is None or isinstance(usage, dict)):
            raise self._broken("its last words are malformed")
        attempt = self._attempt
        receipt, signature = await self.settle(body)
        evidence = Bundle(
            self._d.domain,
            attempt.ticket,
            attempt.signature,
            receipt,
            signature,
            router_key=self._d.hot.address,
            provider_key=attempt.peer.hot_key,
            model=self._request.model,
            decision=attempt.decision,
        ).to_json()
        if not self._options.stream:
            return [orjson.dumps({**final, "infera": evidence})]
        if usage is None:
            events = [{**final, "infera": evidence}]
        else:
            events = [final, {**usage, "infera": evidence}]
        return [b"data: " + orjson.dumps(e) + b"\n\n" for e in events] + [b"data: [DONE]\n\n"]

    async def settle(self, body: dict[str, Any]) -> tuple[JobReceipt, bytes]:
        """Check the receipt in an `END` body, write it down, charge it, acknowledge it. Raises
        `RequestError` if it is no good, `StateError` if it cannot be written down.
        """
        attempt = self._attempt
        try:
            receipt = JobReceipt.from_json(body["receipt"])
            signature = bytes.fromhex(str(body["signature"]).removeprefix("0x"))
            text = str(body["text"])
            complaint = self._d.complaint(
                attempt.ticket, receipt, signature, text, attempt.peer.hot_key
            )
        except (KeyError, ValueError, ProtocolError):
            complaint = "it is malformed"
        if complaint is not None:
            raise _unavailable(
                f"The provider's receipt is no good ({complaint}); nothing is charged."
            )
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _GRACE_S):
            await self._d.deliver(attempt.ticket, receipt, signature, text, self._reservation)
            self._done = True
            attempt.peer.observe_outcome(failed=False)
            attempt.peer.served += 1
            # A provider that is gone offers the receipt again and learns then.
            with contextlib.suppress(LinkLostError):
                await attempt.peer.link.notify(FrameType.ACK, {"job": attempt.ticket.job_id.hex()})
        return receipt, signature

    async def close(self) -> None:
        """Called when the caller is done or gone. An unfinished job is cancelled; its receipt is
        taken in the background.
        """
        if self._done or self._stream is None:
            await self._leave(cancel=False)
        else:
            # The caller may be cancelled already, so nothing may be awaited before this.
            self._d.tasks.start_soon(self._drain)

    async def _drain(self) -> None:
        """Cancel the job and wait for its receipt."""
        assert self._stream is not None
        frame = self._first
        try:
            with anyio.fail_after(_GRACE_S):
                await self._stream.send(FrameType.CANCEL, b"")
                while frame is None or frame.type is FrameType.CHUNK:
                    frame = await self._stream.receive()
            if frame.type is FrameType.END:
                await self.settle(frame.json())
            else:
                await self._abandon("cancelled by the client before the provider had begun")
        except (LinkLostError, TimeoutError, StateError):
            self._suspend()
        except (RequestError, ProtocolError) as error:
            self._attempt.peer.observe_outcome(failed=True)
            await self._abandon(error.message)
        finally:
            await self._leave(cancel=False)

    def _suspend(self) -> None:
        ticket = self._attempt.ticket
        self._d.suspended[ticket.job_id] = (self._reservation, ticket.deadline)

    async def _abandon(self, reason: str) -> None:
        await self._d.abandon(self._attempt.ticket.job_id, self._reservation)
        self._d.bus.publish(JobFailed(self.job_id, reason))

    async def _leave(self, *, cancel: bool) -> None:
        """Free the stream, once."""
        manager, self._manager = self._manager, None
        if manager is None:
            return
        self._attempt.peer.in_flight -= 1
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + 2.0):
            if cancel and self._stream is not None:
                with contextlib.suppress(LinkLostError):
                    await self._stream.send(FrameType.CANCEL, b"")
            await manager.__aexit__(None, None, None)


def _unavailable(message: str) -> RequestError:
    return RequestError(
        message, code="provider_failed", status=502, type=ErrorType.SERVER, retry_after_s=1
    )
