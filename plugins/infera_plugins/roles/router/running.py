"""A ticketed job at its provider: open the stream, relay the answer, take the receipt."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from anyio import get_cancelled_exc_class

from infera.abc import JobStream, StreamOptions
from infera.errors import ErrorType, ProtocolError, RequestError, StateError
from infera.events import JobFailed
from infera.protocol.jobs import request_to_json
from infera.protocol.messages import JobReceipt, JobTicket
from infera.protocol.receipts import Bundle
from infera.transport.frames import Frame, FrameType
from infera.transport.sockets import LinkLostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from infera.transport.link import Stream
    from infera.types import Address, JobRequest
    from infera_plugins.roles.router.desk import ReceiptDesk
    from infera_plugins.roles.router.index import Peer
    from infera_plugins.roles.router.ledger import Reservation

_GRACE_S = 10.0
"""How long a cancelled job's receipt is waited for on the open connection; later ones come by
reconnection.
"""

_REFUSALS = frozenset({400, 404, 413, 422, 500, 502, 503, 504})
"""HTTP statuses a provider may answer a job with."""

_MESSAGE_CHARACTERS = 500


@dataclass(slots=True)
class Attempt:
    """One ticket at one provider."""

    peer: Peer
    ticket: JobTicket
    digest: bytes
    signature: bytes
    decision: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all jobs of a router share: its hot key, a job's time, and the tasks that outlive a
    caller.
    """

    router_key: Address
    timeout_s: int
    tasks: TaskGroup


class RunningJob(JobStream):
    """A job at a provider, after `open`; iterating relays it."""

    def __init__(
        self,
        desk: ReceiptDesk,
        terms: Terms,
        attempt: Attempt,
        request: JobRequest,
        options: StreamOptions,
        reservation: Reservation,
    ) -> None:
        self.job_id = attempt.ticket.job_id.hex()
        self.retry = False
        self.detached = False
        """The caller left before the answer began; `_drain` takes the receipt."""
        self._desk = desk
        self._terms = terms
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
            with anyio.fail_after(self._terms.timeout_s):
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
                self._terms.tasks.start_soon(self._drain)
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
            self._desk.domain,
            attempt.ticket,
            attempt.signature,
            receipt,
            signature,
            router_key=self._terms.router_key,
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
            complaint = self._desk.complaint(
                attempt.ticket, receipt, signature, text, attempt.peer.hot_key
            )
        except (KeyError, ValueError, ProtocolError):
            complaint = "it is malformed"
        if complaint is not None:
            raise _unavailable(
                f"The provider's receipt is no good ({complaint}); nothing is charged."
            )
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _GRACE_S):
            await self._desk.deliver(attempt.ticket, receipt, signature, text, self._reservation)
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
            self._terms.tasks.start_soon(self._drain)

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
        self._desk.suspend(self._attempt.ticket, self._reservation)

    async def _abandon(self, reason: str) -> None:
        await self._desk.abandon(self._attempt.ticket.job_id, self._reservation)
        self._desk.bus.publish(JobFailed(self.job_id, reason))

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
