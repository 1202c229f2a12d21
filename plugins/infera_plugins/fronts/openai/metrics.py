"""Prometheus metrics of a front. Labels: route templates, statuses and models that answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

if TYPE_CHECKING:
    from infera_plugins.fronts.openai.exchange import Exchange

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
_MAX_MODELS = 256
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counters of one front in a registry of their own, so that two fronts in a process do not mix.

    A model becomes a label once it answered; any other name a client sends counts as `other`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._models: set[str] = set()
        self._requests = Counter(
            "infera_front_requests",
            "Finished requests; status 499 means the client left",
            ("route", "status", "model"),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "infera_front_requests_in_flight",
            "Generation requests being served",
            registry=self.registry,
        )
        self._first_byte = Histogram(
            "infera_front_time_to_first_byte_seconds",
            "From the request's arrival to the first byte of a streamed answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._duration = Histogram(
            "infera_front_request_duration_seconds",
            "From a request's arrival to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._chunks = Counter(
            "infera_front_stream_chunks",
            "Pieces relayed to streaming clients",
            registry=self.registry,
        )
        tokens = Counter(
            "infera_front_tokens",
            "Tokens of delivered jobs of this node's router",
            ("direction",),
            registry=self.registry,
        )
        self._tokens_in = tokens.labels("in")
        self._tokens_out = tokens.labels("out")

    def first_byte(self, route: str, seconds: float) -> None:
        """A streamed answer has begun."""
        self._first_byte.labels(route).observe(seconds)

    def finished(self, exchange: Exchange) -> None:
        """A request is over."""
        model = exchange.model
        if model and model not in self._models:
            if exchange.status == 200 and len(self._models) < _MAX_MODELS:
                self._models.add(model)
            else:
                model = OTHER
        self._requests.labels(exchange.route, str(exchange.status), model).inc()
        self._duration.labels(exchange.route).observe(exchange.elapsed())
        if exchange.chunks:
            self._chunks.inc(exchange.chunks)

    def delivered(self, tokens_in: int, tokens_out: int) -> None:
        """A job was delivered (from the node's bus)."""
        self._tokens_in.inc(tokens_in)
        self._tokens_out.inc(tokens_out)

    def render(self) -> bytes:
        """The text exposition of everything counted."""
        return generate_latest(self.registry)
