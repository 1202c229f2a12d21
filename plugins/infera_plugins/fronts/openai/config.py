"""The front's block in a node's YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class OpenAIFrontConfig(BaseModel):
    """`- kind: openai` under `fronts:`"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = Field(
        "127.0.0.1:8080",
        description="HOST:PORT for the HTTP API; port 0 takes a free one, [::1]:8080 for IPv6",
    )
    max_body_bytes: int = Field(
        1 << 20, ge=1024, le=64 << 20, description="largest request body; larger ones get 413"
    )
    body_timeout_s: float = Field(
        15.0, gt=0, le=600, description="time to receive a request's head, and again its body"
    )
    request_timeout_s: float = Field(
        600.0, gt=0, le=86_400, description="longest life of a request, its whole stream included"
    )
    shutdown_grace_s: float = Field(
        5.0, ge=0, le=600, description="how long running requests may go on after a stop is asked"
    )
    max_connections: int = Field(
        4096, ge=1, description="open connections at the most; further ones get 503"
    )
    max_concurrent_per_key: int = Field(
        64, ge=0, description="requests one API key may have running; 0 = no limit"
    )
    rate_limit_per_minute: int = Field(
        0, ge=0, description="requests a minute per API key (token bucket); 0 = no limit"
    )
    network_rate_per_minute: int = Field(
        120,
        ge=0,
        description="requests a minute per client address to /v1/network…, which needs no key; "
        "0 = no limit, for a node behind a proxy that limits",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description='web origins that may call from a browser, such as https://app.example; or "*"',
    )
    tls_cert: Path | None = Field(None, description="certificate chain (PEM); needs `tls_key`")
    tls_key: Path | None = Field(None, description="private key of `tls_cert` (PEM)")

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        split_listen(value)
        return value

    @model_validator(mode="after")
    def _tls_pair(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("set both `tls_cert` and `tls_key`, or neither")
        return self


def split_listen(value: str) -> tuple[str, int]:
    """`HOST:PORT` in its parts; `ValueError` says what is wrong."""
    host, colon, port = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("write an IPv6 address in brackets: [::1]:8080")
    if not colon or not host:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65_536):
        raise ValueError("the port must be a number from 0 to 65535 (0: any free port)")
    return host, int(port)
