"""Router, provider and validator as three processes, settling on a real node's chain."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
import yaml
from live_network import ROOT, get, infera, network, until

from infera.cli.common import http_json
from infera.errors import InferaError
from infera.protocol.pricing import fees
from infera_ext import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterator

ANVIL = sorted(
    (ROOT / "contracts" / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*")
) or [Path(path) for path in (shutil.which("anvil"),) if path]

pytestmark = pytest.mark.skipif(
    not ANVIL, reason="anvil is not installed: run `npm ci` in contracts/"
)


def _rpc(url: str, method: str, *params: Any) -> Any:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return http_json(url, body=call)["result"]


@contextmanager
def _anvil(log: Path) -> Iterator[str]:
    """A development chain; its RPC URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as sink:
        # A block for each transaction at once, and one a second besides: time must pass.
        command = [str(ANVIL[0]), "--port", str(port), "--block-time", "1", "--mixed-mining"]
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)

    def answers() -> bool:
        try:
            return int(_rpc(url, "eth_chainId"), 16) == 31337
        except InferaError:
            assert process.poll() is None, log.read_text(errors="replace")
            return False

    try:
        until("anvil answers", answers)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _config(name: str, rpc: str, **chain: Any) -> dict[str, Any]:
    """The shipped configuration of a role, for this chain and in a hurry."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    found["chains"][0] |= {"rpc": rpc, "poll_interval_s": 0.1, **chain}
    for role in found["roles"]:
        if role["kind"] == name:
            role |= {"stake_infr": 10_000, "key": name}
    found["engines"] = [{"kind": "exact", "name": "cpu"}] if name != "router" else []
    return found


def _router(rpc: str) -> dict[str, Any]:
    found = _config(
        "router",
        rpc,
        deploy=True,
        challenge_window_s=1,
        thaw_period_s=60,
        fund={name: {} for name in ("router", "provider", "validator", "developer")},
    )
    for role in found["roles"]:
        if role["kind"] == "router":
            role |= {"listen": "127.0.0.1:0", "batch_interval_s": 0.5, "public_url": None}
    found["roles"] = [role for role in found["roles"] if role["kind"] != "account"]
    found["roles"].append(
        {"kind": "account", "key": "developer", "deposit_usdc": 20, "lock_usdc": 10}
        | {"api_keys": ["default"]}
    )
    found["fronts"] = [{"kind": "openai", "listen": "127.0.0.1:0"}]
    return found


def _start(stack: ExitStack, home: Path, config: dict[str, Any]) -> Any:
    file = home.with_suffix(".yaml")
    return stack.enter_context(network(home, config, "run", str(file)))


def test_a_network_of_three_processes_settles_on_a_real_chain(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rpc = stack.enter_context(_anvil(tmp_path / "anvil.log"))
        router = _start(stack, tmp_path / "router", _router(rpc))
        router.line("running    node")
        deployed = json.loads((tmp_path / "router" / "contracts.json").read_text())
        contracts = deployed["contracts"]
        chain = {"contracts": contracts, "deploy": False}
        others = {}
        for name in ("provider", "validator"):
            config = _config(name, rpc, **chain)
            for role in config["roles"]:
                if role["kind"] == "validator":
                    role["check_rate_ppm"] = 1_000_000
                if role["kind"] == "provider":
                    role |= {"price_in": 500_000, "price_out": 1_500_000, "routers": ["auto"]}
            keys = tmp_path / name / "keys"
            keys.mkdir(parents=True, mode=0o700)
            # The deployer's node gave this key its play money.
            for file in (tmp_path / "router" / "keys").glob(f"{name}*"):
                shutil.copy2(file, keys)
            others[name] = _start(stack, tmp_path / name, config)
        router.line("joined     provider")
        others["validator"].line("running    node")
        base_url = router.line("listening  openai at").split()[-1]
        api_key = (tmp_path / "router" / "api_keys" / "default").read_text().strip()

        client = stack.enter_context(
            openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=60)
        )
        model = client.models.list().data[0].id
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "What is INFERA?"}], max_tokens=12
        )
        job = answer.id.removeprefix("chatcmpl-")

        def settled() -> Any:
            found = get(base_url, f"/receipts/{job}", api_key)
            return found if found["leaf"] else None

        bundle = until("the job is in a batch", settled, 30)
        file = tmp_path / "receipt.json"
        file.write_text(json.dumps(bundle))
        checked = infera(
            "receipt", "verify", str(file), "--rpc", rpc, "--contract", contracts["JobRegistry"]
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "!!" not in checked.stdout

        provider = bundle["ticket"]["provider"]
        before = _usdc(rpc, contracts["USDC"], provider)
        net = fees(bundle["receipt"]["cost"]).provider
        others["provider"].line("claimed ", 30)
        assert before in (10_000_000_000, 10_000_000_000 + net)
        assert _usdc(rpc, contracts["USDC"], provider) == 10_000_000_000 + net
        assert "upheld" in others["validator"].line("checked    batch 0 leaf 0", 30)

        # Every one of them may go and come back.
        others["provider"].kill()
        router.line("left       provider", 30)
        again = _start(stack, tmp_path / "provider", yaml.safe_load(_yaml_of(tmp_path)))
        again.line("running    node")
        until("it has joined again", lambda: router.output.count("joined     provider") == 2, 30)
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Again?"}], max_tokens=4
        )
        assert answer.choices[0].message.content
        last = (again, others["validator"], router)
        for process in last:
            process.process.send_signal(signal.SIGINT)
        for process in last:
            assert process.process.wait(30) == 0, process.output
            assert "Traceback" not in process.output


def _yaml_of(tmp_path: Path) -> str:
    return (tmp_path / "provider.yaml").read_text()


def _usdc(rpc: str, token: str, address: str) -> int:
    selector = keccak256(b"balanceOf(address)")[:4].hex()
    data = f"0x{selector}{address[2:].lower():0>64}"
    return int(_rpc(rpc, "eth_call", {"to": token, "data": data}, "latest"), 16)
