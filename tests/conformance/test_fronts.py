"""Every front: composed by the kernel from YAML, reachable once started, gone once stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from pydantic import BaseModel, ConfigDict

from infera.abc import Role
from infera.config import load
from infera.errors import ConfigError, PermanentError
from infera.events import FrontListening
from infera.hookspecs import Manifest, Register, hookimpl
from infera.kernel.plugins import load_plugins
from infera_plugins.fronts.openai.bench import NullGateway

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskStatus

    from infera.bus import EventBus
    from infera.context import Context
    from infera.testing.plugin import MakeNode

FRONTS = ["openai"]
NODE = """
node: {{name: test}}
roles: [{roles}]
fronts:
  - kind: {kind}
    listen: 127.0.0.1:0
    {more}
"""


class NoConfig(BaseModel):
    """Nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NullRouter(Role):
    """Puts a gateway that answers at once into the node."""

    def __init__(self, config: NoConfig, context: Context) -> None:
        self.name = "null_router"
        context.gateway = NullGateway()

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()


class NullRouterPlugin:
    @hookimpl
    def infera_manifest(self) -> Manifest:
        return Manifest(name="null_router", summary="A gateway for tests of fronts")

    @hookimpl
    def infera_register_roles(self, register: Register) -> None:
        register("null_router", NullRouter, NoConfig)


PLUGINS: list[tuple[str, Any]] = [("null_router", NullRouterPlugin())]


@pytest.mark.parametrize("kind", FRONTS)
async def test_listens_while_the_node_runs(
    kind: str, make_node: MakeNode, infera_bus: EventBus
) -> None:
    text = NODE.format(kind=kind, roles="{kind: null_router}", more="")
    async with infera_bus.subscribe(FrontListening) as events, make_node(text, plugins=PLUGINS):
        with anyio.fail_after(5):
            url = (await anext(events)).base_url
        host, port = url.split("//")[1].split("/")[0].split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
    with pytest.raises(OSError, match=r".+"):
        await anyio.connect_tcp(host, int(port))


@pytest.mark.parametrize("kind", FRONTS)
async def test_needs_a_router(kind: str, make_node: MakeNode) -> None:
    with pytest.RaisesGroup(PermanentError, flatten_subgroups=True, allow_unwrapped=True):
        async with make_node(NODE.format(kind=kind, roles="", more="")):
            pass


@pytest.mark.parametrize("kind", FRONTS)
def test_refuses_unknown_settings(kind: str, infera_home: Path) -> None:
    text = NODE.format(kind=kind, roles="{kind: null_router}", more="listne: 127.0.0.1:1")
    loaded = load_plugins(PLUGINS)
    with pytest.raises(ConfigError) as caught:
        load(text, loaded.registry, home=infera_home)
    assert "listne" in str(caught.value)
