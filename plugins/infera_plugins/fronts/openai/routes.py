"""The routes that cost nothing: models, receipts, account, network, health, metrics."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from infera.errors import ErrorType, ProtocolError, RequestError, did_you_mean
from infera.protocol.abi import parse_address
from infera.protocol.messages import KeyGrant
from infera_plugins.fronts.openai.fields import shorten
from infera_plugins.fronts.openai.http import encode, read_json
from infera_plugins.fronts.openai.limits import Concurrency, RateLimiter, client_network
from infera_plugins.fronts.openai.metrics import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from infera.abc import Gateway
    from infera.types import ModelListing
    from infera_plugins.fronts.openai.config import OpenAIFrontConfig
    from infera_plugins.fronts.openai.exchange import Exchange
    from infera_plugins.fronts.openai.generate import Doorkeeper

_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_SIGNATURE = re.compile(r"0x(?:[0-9a-fA-F]{2}){65,4096}")
_GRANTS_AT_ONCE = 16
_GRANTS = b"grants"


def price_string(micro_per_million: int) -> str:
    """Micro-USDC per million tokens as USD per token, exact and without an exponent."""
    whole, fraction = divmod(micro_per_million, 10**12)
    return f"{whole}.{fraction:012d}".rstrip("0").rstrip(".")


def model_json(listing: ModelListing) -> dict[str, Any]:
    """OpenAI's model object with what one needs to choose: price, context length, tiers."""
    return {
        "id": listing.name,
        "object": "model",
        "created": listing.created,
        "owned_by": "infera",
        "model_id": f"0x{listing.model_id.hex()}",
        "official": listing.official,
        "context_length": listing.context_length,
        "pricing": {
            "prompt": price_string(listing.price_in),
            "completion": price_string(listing.price_out),
            "prompt_micro_usdc_per_million": listing.price_in,
            "completion_micro_usdc_per_million": listing.price_out,
        },
        "tiers": [tier.name.lower() for tier in listing.tiers],
        "providers": listing.providers,
    }


class Routes:
    """Starlette endpoints over a gateway. They raise; the app renders errors."""

    def __init__(
        self, gateway: Gateway, config: OpenAIFrontConfig, doorkeeper: Doorkeeper, metrics: Metrics
    ) -> None:
        self._gateway = gateway
        self._config = config
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._grants = Concurrency(_GRANTS_AT_ONCE)
        self._rates = RateLimiter(config.network_rate_per_minute, monotonic, "your address")

    def table(self) -> Sequence[Route]:
        """All routes."""
        return [
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
            Route("/v1/receipts/{job_id}", self.receipt),
            Route("/v1/account", self.account),
            Route("/v1/network/grants", self.grant, methods=["POST"]),
            Route("/v1/network", self.network),
            Route("/v1/network/accounts/{address}", self.account_of),
            Route("/v1/network/batches/{index:int}", self.batch),
            Route("/healthz", self.health),
            Route("/metrics", self.metrics),
        ]

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`"""
        rows = [model_json(listing) for listing in self._gateway.models()]
        return _json({"object": "list", "data": rows})

    async def model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`"""
        name = request.path_params["name"]
        listings = {listing.name: listing for listing in self._gateway.models()}
        if name not in listings:
            shown = shorten(name)
            raise RequestError(
                f"The model {shown!r} does not exist; {did_you_mean(shown, listings)}",
                code="model_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
                param="model",
            )
        return _json(model_json(listings[name]))

    async def receipt(self, request: Request) -> Response:
        """`GET /v1/receipts/{id}`"""
        caller = self._doorkeeper.admit(request.scope, _exchange(request))
        job_id = request.path_params["job_id"]
        if not _JOB_ID.fullmatch(job_id):
            raise RequestError(
                "A job id is the value of the 'x-infera-job' response header",
                code="receipt_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
            )
        return _json(await self._gateway.receipt(caller, job_id))

    async def account(self, request: Request) -> Response:
        """`GET /v1/account`"""
        caller = self._doorkeeper.admit(request.scope, _exchange(request))
        return _json(await self._gateway.account(caller))

    async def grant(self, request: Request) -> Response:
        """`POST /v1/network/grants`: needs no key, since the account's signature is in the body."""
        self._limit(request)
        with self._grants.slot(_GRANTS):
            with _exchange(request).receiving(self._config.body_timeout_s):
                body = await read_json(request.scope, request.receive, self._config.max_body_bytes)
            grant, signature = _signed_grant(body)
            digest = await self._gateway.register_grant(grant, signature)
        return _json({"object": "key_grant", "digest": f"0x{digest.hex()}"})

    async def network(self, request: Request) -> Response:
        """`GET /v1/network`"""
        self._limit(request)
        return _json(self._gateway.network())

    async def account_of(self, request: Request) -> Response:
        """`GET /v1/network/accounts/{address}`"""
        self._limit(request)
        try:
            address = parse_address(request.path_params["address"])
        except ProtocolError as error:
            raise RequestError(
                shorten(error.message), code="invalid_address", param="address"
            ) from None
        return _json(await self._gateway.account_of(address))

    def _limit(self, request: Request) -> None:
        """Take one request from its sender's address. 429 if there is none left."""
        _exchange(request).headers += self._rates.take(client_network(request.scope))

    async def batch(self, request: Request) -> Response:
        """`GET /v1/network/batches/{index}`"""
        self._limit(request)
        index = request.path_params["index"]
        if index >= 1 << 63:
            raise RequestError(
                "There is no such batch",
                code="batch_not_found",
                status=404,
                type=ErrorType.NOT_FOUND,
            )
        return _json(await self._gateway.batch_leaves(index))

    async def health(self, request: Request) -> Response:
        """`GET /healthz`: alive if it answers; `ready` if some model can be served."""
        serving = [listing for listing in self._gateway.models() if listing.providers]
        return _json({"status": "ok", "ready": bool(serving), "models": len(serving)})

    async def metrics(self, request: Request) -> Response:
        """`GET /metrics`"""
        return Response(self._metrics.render(), media_type=CONTENT_TYPE)


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope["infera.exchange"]
    return exchange


def _json(value: Any) -> Response:
    return Response(encode(value), media_type="application/json")


def _signed_grant(body: object) -> tuple[KeyGrant, bytes]:
    if not isinstance(body, dict) or set(body) != {"grant", "signature"}:
        raise RequestError(
            'The body must be {"grant": {…}, "signature": "0x…"}', code="invalid_grant"
        )
    signature = body["signature"]
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise RequestError(
            "'signature' must be 0x-prefixed hex of at least 65 bytes",
            code="invalid_signature",
            param="signature",
        )
    try:
        grant = KeyGrant.from_json(body["grant"], "grant")
    except ProtocolError as error:
        raise RequestError(error.message, code="invalid_grant", param="grant") from None
    return grant, bytes.fromhex(signature[2:])
