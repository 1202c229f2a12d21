"""`infera up`: the whole network in one process, from chain to API, and how to call it."""

from __future__ import annotations

import errno
import json
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from infera.cli.common import home_option, run_async, write_private
from infera.errors import ConfigError, NeedsOperatorError
from infera.events import Event, FrontListening, NodeStarted, ProviderJoined

if TYPE_CHECKING:
    from infera.config import NodeConfig
    from infera.kernel.node import Node

READY_WARNING_S = 60.0
KEPT_BY_FRESH = frozenset({"keys", "node.lock"})


@click.command("up")
@home_option
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the API; 0 takes any free one."
)
@click.option("--chain", metavar="URL", help="RPC of the chain to settle on, or `embedded`.")
@click.option("--fresh", is_flag=True, help="Delete this home's state first; keys are kept.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compose the network from this file instead of the shipped devnet.yaml.",
)
def command(
    home: Path | None, port: int | None, chain: str | None, fresh: bool, config: Path | None
) -> None:
    """Run a whole network on this machine: chain, contracts, router, two providers, a validator
    and the API.

    Prints the base URL, an API key and how to call it, then one line for each thing that happens.
    Ctrl-C stops it.
    """
    from infera.config import load, shipped
    from infera.kernel.lock import HomeLock
    from infera.kernel.node import Node, make_home, run_node
    from infera.kernel.plugins import load_plugins

    plugins = load_plugins()
    overrides: dict[tuple[str | int, ...], Any] = {}
    if port is not None:
        overrides[("fronts", 0, "listen")] = f"127.0.0.1:{port}"
    if chain is not None:
        overrides[("chains", 0, "rpc")] = chain
    source = config or shipped("devnet")
    try:
        loaded = load(source, plugins.registry, overrides=overrides, home=home)
    except ConfigError as error:
        for missing in plugins.missing:
            error.add_note(str(missing))
        raise
    make_home(loaded)

    async def main() -> None:
        await run_node(Node(loaded, plugins), companion=Console(loaded).run)

    with HomeLock(loaded.home):
        click.echo(f"home       {loaded.home}")
        if fresh:
            delete_state(loaded.home)
        require_free_ports(loaded)
        try:
            run_async(main)
        finally:
            (loaded.home / "devnet.json").unlink(missing_ok=True)
    click.echo("stopped")


def delete_state(home: Path) -> None:
    """`--fresh`: everything but the keys goes, and is named before it does."""
    doomed = sorted(path for path in home.iterdir() if path.name not in KEPT_BY_FRESH)
    for path in doomed:
        click.echo(f"deleting   {path}")
    for path in doomed:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def require_free_ports(config: NodeConfig) -> None:
    """Say at once that a front's port is taken, rather than after the rest has started."""
    for block in config.layers["fronts"]:
        host, _, port = str(getattr(block.config, "listen", "")).rpartition(":")
        if not port.isdigit() or port == "0":
            continue
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                continue  # the front's own message will be better
            raise NeedsOperatorError(
                f"port {port} is in use on {host}",
                code="front_port_in_use",
                hint=f"`--port 0` takes a free one; `ss -ltnp 'sport = :{port}'` shows who has it",
            ) from None


@dataclass(slots=True)
class Console:
    """Prints what happens, and how to call the network once it is ready."""

    config: NodeConfig
    base_url: str = ""
    running: bool = False
    ready: bool = False
    models: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def run(self, node: Node) -> None:
        """Follow the bus for ever."""
        deadline = float("inf")
        async with node.bus.subscribe() as events:
            while True:
                event: Event | None = None
                with anyio.CancelScope(deadline=deadline):
                    event = await anext(events)
                if event is None:
                    deadline = float("inf")
                    click.echo(
                        f"waiting    {self.missing()}; `infera doctor` may know why", err=True
                    )
                    continue
                click.echo(event.line())
                self.note(event)
                if isinstance(event, NodeStarted):
                    deadline = anyio.current_time() + READY_WARNING_S
                if not self.ready and self.running and not self.missing():
                    self.ready, deadline = True, float("inf")
                    self.announce(node)

    def note(self, event: Event) -> None:
        if isinstance(event, NodeStarted):
            self.running = True
        elif isinstance(event, FrontListening) and not self.base_url:
            self.base_url = event.base_url
        elif isinstance(event, ProviderJoined):
            self.models[event.provider] = event.models

    def missing(self) -> str:
        """What readiness still waits for; empty when nothing."""
        wanted = sum(block.kind.kind == "provider" for block in self.config.layers["roles"])
        joined = len(self.models)
        return "" if joined >= wanted else f"{joined} of {wanted} providers have joined the router"

    def announce(self, node: Node) -> None:
        """Write devnet.json and print the way in."""
        facts = self.facts(node)
        write_private(self.config.home / "devnet.json", json.dumps(facts, indent=2) + "\n")
        model = next((m for models in self.models.values() for m in models), "MODEL")
        click.echo(snippets(facts["base_url"], facts["api_key"], model))

    def facts(self, node: Node) -> dict[str, Any]:
        keys = node.context.keys
        key_file = self.config.home / "api_keys" / "default"
        chain = next(iter(node.context.chains.values()), None)
        return {
            "base_url": self.base_url,
            "api_key": key_file.read_text(encoding="utf-8").strip() if key_file.exists() else None,
            "rpc_url": chain.rpc_url if chain else None,
            "chain_id": chain.domain.chain_id if chain else None,
            "contracts": dict(chain.contracts) if chain else {},
            "accounts": {name: keys.get(name).address for name in keys.names()},
        }


def snippets(base_url: str, api_key: str | None, model: str) -> str:
    """What a newcomer pastes next."""
    return f"""
  base URL   {base_url}
  API key    {api_key or "(none: add `api_keys: [default]` to an account role)"}

  curl {base_url}/chat/completions -H "Authorization: Bearer {api_key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "What is INFERA?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="{base_url}", api_key="{api_key}")
  answer = client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "What is INFERA?"}}])
  print(answer.choices[0].message.content)
"""
