"""What `infera doctor` looks at for this front."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio.to_thread

from infera.checks import HealthCheck, port_problem
from infera_plugins.fronts.openai.config import OpenAIFrontConfig, split_listen

if TYPE_CHECKING:
    from pathlib import Path

    from infera.checks import CheckContext


async def _port_free(context: CheckContext) -> str | None:
    if context.running:
        return None
    for config in context.configs(OpenAIFrontConfig):
        if problem := await port_problem(*split_listen(config.listen)):
            return f"{config.listen}: {problem}"
    return None


async def _tls(context: CheckContext) -> str | None:
    for config in context.configs(OpenAIFrontConfig):
        if config.tls_cert is not None and config.tls_key is not None:
            problem = await anyio.to_thread.run_sync(_pair, config.tls_cert, config.tls_key)
            if problem is not None:
                return problem
    return None


def _pair(certificate: Path, key: Path) -> str | None:
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            return f"{path}: {error.strerror}; correct `tls_cert:` and `tls_key:`"
    try:
        # Without the password OpenSSL would ask a person for it, which a server cannot.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except ssl.SSLError as error:
        reason = str(error.reason or error).replace("_", " ").lower()
        return (
            f"{certificate} and {key} cannot be used ({reason}); give PEM files that belong "
            "together, the key without a passphrase"
        )
    return None


CHECKS = (
    HealthCheck(
        "openai_port_free", "the API's port can be listened on", _port_free, kinds=("openai",)
    ),
    HealthCheck("openai_tls", "TLS files can be read and belong together", _tls, kinds=("openai",)),
)
