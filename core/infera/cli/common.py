"""What several subcommands need."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click

from infera.errors import InferaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from infera.config import NodeConfig


def home_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--home`, which INFERA_HOME can give as well."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="INFERA_HOME",
        help="Folder of keys and state (INFERA_HOME).",
    )(function)


def config_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """A configuration file, or the name of a shipped one."""
    return click.argument("config", metavar="CONFIG")(function)


def find_config(config: str) -> Path:
    """A path as it is; a bare word that is no file names a shipped configuration."""
    from infera.config import shipped

    path = Path(config)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    return shipped(config)


def load_config(config: str, home: Path | None) -> NodeConfig:
    """A validated configuration, by path or shipped name, with the installed plugins."""
    from infera.config import load
    from infera.kernel.plugins import load_plugins

    return load(find_config(config), load_plugins().registry, home=home)


def default_home(home: Path | None) -> Path:
    """Where keys are without a configuration: `--home`, INFERA_HOME, or the home of `infera up`."""
    return (home or Path("~/.infera")).expanduser().absolute()


def run_async(main: Callable[[], Awaitable[None]]) -> None:
    """anyio.run on uvloop where it is installed."""
    from importlib.util import find_spec

    import anyio

    anyio.run(main, backend_options={"use_uvloop": find_spec("uvloop") is not None})


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read, all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def http_json(
    url: str, *, body: object = None, bearer: str | None = None, timeout_s: float = 30.0
) -> Any:
    """GET, or POST with a body; the answer's JSON.

    Failures become an `InferaError` with the server's own words.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InferaError(f"{url!r} is no http:// or https:// address", code="url_invalid")
    headers = {"Accept": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    try:
        request = Request(url, data, headers)  # noqa: S310 - the scheme is checked above
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return json.loads(answer.read(64 << 20))
    except HTTPError as error:
        raise InferaError(
            f"{url} answered {error.code}: {_server_words(error)}", code="server_refused"
        ) from None
    except (URLError, OSError) as error:
        raise InferaError(
            f"{url} cannot be reached: {getattr(error, 'reason', error)}",
            code="server_unreachable",
            hint="is the node running? `infera up` runs one on this machine",
        ) from None
    except ValueError:
        raise InferaError(
            f"{url} did not answer with JSON",
            code="server_refused",
            hint="is this a router's base URL?",
        ) from None


def _server_words(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read(1 << 16))["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> str:
    """Columns aligned with spaces."""
    everything = [header, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in everything
    ]
    return "\n".join(lines)
