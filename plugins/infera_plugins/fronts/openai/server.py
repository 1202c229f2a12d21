"""The front as a component: binds, runs uvicorn without its signal handlers, stops in order."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Self

import anyio
import uvicorn

from infera.abc import Front, Gateway
from infera.errors import NeedsOperatorError
from infera.events import FrontListening, JobDelivered
from infera_plugins.fronts.openai.app import App
from infera_plugins.fronts.openai.config import OpenAIFrontConfig, split_listen
from infera_plugins.fronts.openai.wire import bounded_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import TaskStatus

    from infera.bus import EventBus
    from infera.context import Context

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
_FAREWELL_S = 3.0
"""For telling ended requests why, after the grace period."""
_HARD_STOP_S = 2.0

_log = logging.getLogger(__name__)


class OpenAIFront(Front):
    """Serves the OpenAI-compatible API of a gateway over HTTP."""

    def __init__(self, config: OpenAIFrontConfig, gateway: Gateway, bus: EventBus) -> None:
        self.name = "openai"
        self.base_url = ""
        """`http://HOST:PORT/v1` once it listens."""
        self._config = config
        self._bus = bus
        self._app = App(gateway, config)

    @classmethod
    def build(cls, config: OpenAIFrontConfig, context: Context) -> Self:
        """The factory the kernel calls."""
        return cls(config, context.require_gateway(), context.bus)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Listen until cancelled; then let running requests finish within `shutdown_grace_s`."""
        listener = await self._bind()
        with listener:
            server = _Server(self._uvicorn_config())
            async with (
                self._bus.subscribe(JobDelivered) as jobs,
                anyio.create_task_group() as tasks,
            ):
                try:
                    await tasks.start(server.run_shielded, listener)
                    self.base_url = self._url(listener)
                    self._bus.publish(FrontListening(self.name, self.base_url))
                    task_status.started()
                    async for job in jobs:
                        self._app.metrics.delivered(job.tokens_in, job.tokens_out)
                finally:
                    await self._stop(server)

    async def _stop(self, server: _Server) -> None:
        grace = self._config.shutdown_grace_s
        limit = grace + _FAREWELL_S + _HARD_STOP_S
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + limit):
            server.request_exit()
            with anyio.move_on_after(grace):
                await self._app.running.wait_idle()
            if self._app.running:
                _log.info("ending %d running request(s)", len(self._app.running))
            self._app.running.end_all()
            with anyio.move_on_after(_FAREWELL_S):
                await self._app.running.wait_idle()
            server.abort_connections()
            await server.ended.wait()
        server.kill()

    async def _bind(self) -> socket.socket:
        host, port = split_listen(self._config.listen)
        try:
            family, kind, protocol, _, address = (
                await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )[0]
            listener = socket.socket(family, kind, protocol)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.setblocking(False)
                listener.bind(address)
                listener.listen(_BACKLOG)
            except BaseException:
                listener.close()
                raise
        except OSError as error:
            raise _cannot_listen(self._config.listen, port, error) from error
        return listener

    def _url(self, listener: socket.socket) -> str:
        host, port = listener.getsockname()[:2]
        if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        scheme = "https" if self._config.tls_cert else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def _uvicorn_config(self) -> uvicorn.Config:
        config = self._config
        result = uvicorn.Config(
            self._app.asgi(),
            http=bounded_protocol(config.body_timeout_s),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            limit_concurrency=config.max_connections,
            ssl_certfile=config.tls_cert,
            ssl_keyfile=config.tls_key,
        )
        try:
            result.load()
        except (OSError, ssl.SSLError) as error:
            raise NeedsOperatorError(
                f"cannot use the TLS certificate {config.tls_cert}: {error}",
                code="front_tls_unusable",
                hint="`tls_cert` and `tls_key` must be readable PEM files that belong together",
            ) from error
        return result


def _cannot_listen(listen: str, port: int, error: OSError) -> NeedsOperatorError:
    if error.errno == errno.EADDRINUSE:
        return NeedsOperatorError(
            f"port {port} is in use ({listen})",
            code="front_port_in_use",
            hint="stop what listens there, or choose another port: `listen:` in the configuration, "
            "or `--port 0` for any free one",
        )
    hint = "`listen:` must name an address of this machine, such as 127.0.0.1:8080"
    if error.errno == errno.EACCES:
        hint = f"port {port} needs privileges this user lacks; choose one above 1023"
    return NeedsOperatorError(
        f"cannot listen on {listen}: {error.strerror or error}",
        code="front_cannot_listen",
        hint=hint,
    )


class _Server(uvicorn.Server):
    """uvicorn's server as a guest: no signal handlers, and it wakes at once when told to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = anyio.Event()
        self._exit = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)

    async def run_shielded(self, listener: socket.socket, *, task_status: TaskStatus[None]) -> None:
        """Serve until `request_exit`; shielded, since requests outlive the cancellation."""
        self._task_status = task_status
        try:
            with self._scope:
                await self.serve(sockets=[listener])
        finally:
            self.ended.set()

    def request_exit(self) -> None:
        """Stop accepting, close idle connections."""
        self.should_exit = True
        self._exit.set()

    def abort_connections(self) -> None:
        """Close whatever is still open."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def kill(self) -> None:
        """Last resort: cancel the server itself."""
        self._scope.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the node."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._task_status.started()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            with anyio.move_on_after(1):
                await self._exit.wait()
            ticks += 10  # the ticks uvicorn counts are tenths of a second
