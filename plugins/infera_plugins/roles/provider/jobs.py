"""One job at a provider: check the ticket, run the engine, stream, sign the receipt, write it
down, hand it over.
"""

from __future__ import annotations

from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import anyio
from anyio import get_cancelled_exc_class

from infera.errors import EngineError, InferaError, ProtocolError, RequestError
from infera.keys import Signer, recover
from infera.protocol.jobs import request_from_json, response_hash, token_commitment
from infera.protocol.messages import JobReceipt, JobTicket, ProviderOffer
from infera.protocol.rules import job_cost, request_faults
from infera.transport.frames import Frame, FrameType
from infera.transport.sockets import LinkLostError
from infera.types import Completion, FinishReason, JobRequest, Tier, TokenLogprob
from infera_plugins.roles.provider.journal import Journal, ServedJob
from infera_plugins.roles.provider.wire import AnswerWriter

if TYPE_CHECKING:
    from infera.abc import Engine, Verifier
    from infera.protocol.eip712 import Domain
    from infera.transport.link import Stream

_CLOCK_SKEW_S = 30
_SIGN_S = 10.0


class RefusedError(ProtocolError):
    """This provider will not run the job. `retry` tells the router that another one might."""

    def __init__(self, message: str, code: str, *, retry: bool) -> None:
        super().__init__(message, code=code)
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job."""

    ticket: JobTicket
    ticket_digest: bytes
    ticket_signature: bytes
    request: JobRequest
    stream: bool
    include_usage: bool


@dataclass(slots=True)
class JobRunner:
    """Runs the jobs of one router."""

    offer: ProviderOffer
    router_hot: str
    router: str
    domain: Domain
    hot: Signer
    engine: Engine
    verifiers: dict[Tier, Verifier]
    journal: Journal
    max_exposure: int
    in_flight: int = 0
    exposure: int = 0

    async def serve(self, stream: Stream, frame: Frame) -> None:
        """Handle one `OPEN` stream to its end. Never raises for a bad job: the router is told
        with `FAIL`.
        """
        self.in_flight += 1
        try:
            last = FrameType.END, await self._run(stream, self._accept(frame.json()))
        except RequestError as error:
            last = _fail(error.message, error.code, status=error.status, param=error.param)
        except RefusedError as error:
            last = _fail(error.message, error.code, status=503, retry=error.retry)
        except InferaError as error:
            last = _fail(error.message, error.code, status=502, retry=True)
        finally:
            # Before the router hears of it: by then the slot must be free.
            self.in_flight -= 1
        try:
            await stream.send_json(*last)
        except ProtocolError as error:  # larger than a frame may be
            await stream.send_json(*_fail(error.message, "answer_too_large", status=502))

    def _accept(self, body: dict[str, Any]) -> Job:
        """Check that the ticket is this router's, for us, on our terms, and for exactly this
        request.
        """
        try:
            ticket = JobTicket.from_json(body["ticket"])
            signature = bytes.fromhex(str(body["signature"]).removeprefix("0x"))
            request = request_from_json(body["request"])
        except (KeyError, ValueError):
            raise RefusedError(
                "the OPEN frame is malformed", "ticket_invalid", retry=False
            ) from None
        digest = ticket.digest(self.domain)
        now = int(time())
        offer = self.offer
        terms = (
            (recover(digest, signature) != self.router_hot, "it is not signed by the router"),
            (ticket.router != self.router, "it names another router"),
            (ticket.provider != offer.provider, "it names another provider"),
            (ticket.model_id not in offer.models, "its model is not offered"),
            (
                ticket.tier not in offer.tiers or ticket.tier not in self.verifiers,
                "its verification tier is not offered",
            ),
            (ticket.price_in < offer.price_in, "it pays less than the offer for input"),
            (ticket.price_out < offer.price_out, "it pays less than the offer for output"),
            (ticket.premium_bps < offer.premium_bps, "it pays less than the offered premium"),
            (request.max_tokens != ticket.max_tokens_out, "its output limit is not the request's"),
            (ticket.deadline <= now, "it has expired"),
            (ticket.issued_at > now + _CLOCK_SKEW_S, "it comes from the future; check both clocks"),
        )
        complaints = [text for wrong, text in terms if wrong] + request_faults(ticket, request)
        if complaints:
            raise RefusedError(
                f"bad ticket: {'; '.join(complaints)}", "ticket_invalid", retry=False
            )
        if self.in_flight > offer.capacity:
            raise RefusedError("all slots are taken", "provider_busy", retry=True)
        if self.exposure + ticket.max_cost > self.max_exposure:
            raise RefusedError(
                "this router has not settled what it owes; serving stops until it does",
                "router_exposure",
                retry=True,
            )
        options = body.get("options", {})
        return Job(
            ticket,
            digest,
            signature,
            request,
            bool(options.get("stream")),
            bool(options.get("include_usage")),
        )

    async def _run(self, stream: Stream, job: Job) -> dict[str, Any]:
        """Generate, and write the receipt down; the body of the `END` frame."""
        ticket, request = job.ticket, job.request
        prompt = await self.engine.encode(request)
        if len(prompt) > ticket.max_tokens_in:
            raise RequestError(
                f"The prompt has {len(prompt)} tokens; the limit is {ticket.max_tokens_in}.",
                code="context_length_exceeded",
                param="messages" if request.kind == "chat" else "prompt",
            )
        started = monotonic()
        writer = AnswerWriter(request, ticket.job_id.hex(), int(time()))
        answer = _Answer()
        stopped: BaseException | None = None
        try:
            with anyio.CancelScope() as stream.cancel_scope:
                if stream.cancelled:
                    stream.cancel_scope.cancel()
                # What was delivered is still owed: after a loss the receipt goes out on
                # reconnection, and after a stop with the next start.
                with suppress(LinkLostError):
                    await self._generate(stream, job, writer, answer, started)
        except get_cancelled_exc_class() as error:
            stopped = error
        completion = answer.completion or Completion(
            FinishReason.CANCELLED,
            "".join(answer.text),
            prompt,
            tuple(answer.tokens),
            token_commitment(prompt, tuple(answer.tokens)),
        )
        try:
            with anyio.fail_after(_SIGN_S, shield=True):
                receipt = await self._receipt(job, completion)
        except TimeoutError:
            raise EngineError(f"no evidence was made within {_SIGN_S:g} s") from None
        signature = self.hot.sign(receipt.digest(self.domain))
        with anyio.CancelScope(shield=True):
            await self.journal.keep(
                ServedJob(ticket, job.ticket_signature, receipt, signature, completion.text)
            )
        self.exposure += receipt.cost
        if stopped is not None:
            raise stopped
        return {
            "receipt": receipt.to_json(),
            "signature": signature.hex(),
            "text": completion.text,
            "ttft_ms": round(answer.first_s * 1000),
            **self._tail(job, writer, completion, answer.logprobs),
        }

    async def _generate(
        self, stream: Stream, job: Job, writer: AnswerWriter, answer: _Answer, started: float
    ) -> None:
        keep_logprobs = job.request.logprobs is not None and not job.stream
        async with aclosing(self.engine.generate(job.request)) as items:  # type: ignore[type-var]
            async for item in items:
                if not answer.text:
                    answer.first_s = monotonic() - started
                if isinstance(item, Completion):
                    answer.completion = item
                    return
                if job.stream and (item.text or item.logprobs):
                    opening = b"" if answer.opened else writer.opening()
                    answer.opened = True
                    await stream.send(
                        FrameType.CHUNK, opening + writer.piece(item.text, item.logprobs)
                    )
                answer.text.append(item.text)
                answer.tokens.extend(item.tokens)
                if keep_logprobs:
                    answer.logprobs.extend(item.logprobs)

    async def _receipt(self, job: Job, completion: Completion) -> JobReceipt:
        ticket = job.ticket
        tokens_in, tokens_out = len(completion.prompt_tokens), len(completion.output_tokens)
        return JobReceipt(
            ticket=job.ticket_digest,
            response_hash=response_hash(completion.text, completion.finish),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=job_cost(ticket, tokens_in, tokens_out),
            finish_reason=completion.finish,
            evidence=await self.verifiers[ticket.tier].attest(job.request, completion),
            completed_at=int(time()),
        )

    @staticmethod
    def _tail(
        job: Job, writer: AnswerWriter, completion: Completion, logprobs: list[TokenLogprob]
    ) -> dict[str, Any]:
        """The last thing the client sees, as objects: the router adds the receipt and serialises
        them.
        """
        tokens = len(completion.prompt_tokens), len(completion.output_tokens)
        if not job.stream:
            return {"final": writer.whole(completion.text, completion.finish, *tokens, logprobs)}
        tail: dict[str, Any] = {"final": writer.last(completion.finish)}
        if job.include_usage:
            tail["usage"] = writer.usage_chunk(*tokens)
        return tail


@dataclass(slots=True)
class _Answer:
    """What has been generated so far."""

    text: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    completion: Completion | None = None
    opened: bool = False
    first_s: float = 0.0


def _fail(
    message: str, code: str, *, status: int, retry: bool = False, param: str | None = None
) -> tuple[FrameType, dict[str, Any]]:
    body = {"message": message, "code": code, "status": status, "retry": retry, "param": param}
    return FrameType.FAIL, body
