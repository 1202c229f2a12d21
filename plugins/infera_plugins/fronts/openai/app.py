"""The ASGI application: two hot routes by dictionary, the rest through Starlette's router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Router

from infera.errors import ErrorType, RequestError, did_you_mean
from infera_plugins.fronts.openai.exchange import CLIENT_GONE, Exchange, Running
from infera_plugins.fronts.openai.fields import shorten
from infera_plugins.fronts.openai.generate import Doorkeeper, Generation, Translate, refuse
from infera_plugins.fronts.openai.http import (
    ClientGoneError,
    Message,
    Receive,
    Scope,
    Send,
    as_request_error,
)
from infera_plugins.fronts.openai.metrics import OTHER, Metrics
from infera_plugins.fronts.openai.routes import Routes
from infera_plugins.fronts.openai.translate import chat_request, completion_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from infera.abc import Gateway
    from infera_plugins.fronts.openai.config import OpenAIFrontConfig

HOT: dict[str, Translate] = {
    "/v1/chat/completions": chat_request,
    "/v1/completions": completion_request,
}
_EXPOSED = (
    "x-request-id",
    "x-infera-job",
    "openai-processing-ms",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)


class App:
    """One front's ASGI application."""

    def __init__(self, gateway: Gateway, config: OpenAIFrontConfig) -> None:
        self.metrics = Metrics()
        self.running = Running()
        self._config = config
        doorkeeper = Doorkeeper(gateway, config)
        self._generation = Generation(gateway, config, doorkeeper, self.metrics, self.running)
        routes = Routes(gateway, config, doorkeeper, self.metrics).table()
        self._router = Router(routes, redirect_slashes=False)
        self._labels = {route.endpoint: route.path for route in routes}
        self._paths = [*HOT, *self._labels.values()]

    def asgi(self) -> ASGIApp:
        """What the server calls: this, behind CORS where that is configured."""
        origins = self._config.cors_origins
        if not origins:
            return self
        return CORSMiddleware(
            self,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            max_age=3600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"]
        translate = HOT.get(path)
        if translate is not None and scope["method"] == "POST":
            await self._generation.serve(path, translate, scope, receive, send)
        else:
            await self._serve_cold(scope, receive, send)

    async def _serve_cold(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(OTHER, self._config.request_timeout_s)
        scope["infera.exchange"] = exchange
        scope["app"] = self  # makes the router raise 404 and 405 instead of rendering them

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.started = True
                message["headers"] = [*message["headers"], *exchange.headers]
            elif not message.get("more_body", False):
                exchange.complete = True
            await send(message)

        failure: Exception | None = None
        try:
            with self.running.track(exchange):
                with exchange.scope:
                    try:
                        if scope["path"] in HOT:
                            raise HTTPException(405, headers={"Allow": "POST"})
                        await self._router(scope, receive, observed)
                    except Exception as error:
                        failure = error
                await self._conclude(exchange, failure, scope, receive, send)
        finally:
            endpoint = scope.get("endpoint")
            exchange.route = self._labels.get(endpoint, OTHER) if endpoint else exchange.route
            self.metrics.finished(exchange)

    async def _conclude(
        self,
        exchange: Exchange,
        failure: Exception | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if isinstance(failure, ClientGoneError):
            exchange.status = CLIENT_GONE
            return
        if isinstance(failure, HTTPException):
            allowed = (failure.headers or {}).get("Allow", "")
            if allowed:
                exchange.headers.append((b"allow", ", ".join(sorted(allowed.split(", "))).encode()))
            failure = self._no_route(failure, scope)
        if exchange.ending is not None or (failure is None and not exchange.complete):
            failure = exchange.ended()
        if failure is None:
            return
        error = as_request_error(failure, exchange.id)
        if not exchange.started:
            exchange.status = error.status
            await refuse(exchange, error, receive, send)

    def _no_route(self, error: HTTPException, scope: dict[str, Any] | Scope) -> RequestError:
        path = shorten(scope["path"])
        if error.status_code == 405:
            return RequestError(
                f"{shorten(scope['method'])} is not possible on {path}",
                code="method_not_allowed",
                status=405,
            )
        return RequestError(
            f"There is nothing at {path}; {did_you_mean(path, self._paths)}",
            code="unknown_route",
            status=404,
            type=ErrorType.NOT_FOUND,
        )
