"""keys: on this machine, and granted to a router."""

from __future__ import annotations

import io
import stat
from typing import TYPE_CHECKING, Any

import pytest

from infera.keys import KeyStore, recover
from infera.protocol.apikeys import key_hash
from infera.protocol.eip712 import Domain
from infera.protocol.messages import KeyGrant

if TYPE_CHECKING:
    from pathlib import Path

ROUTER = "0x000000000000000000000000000000000000dEaD"
NETWORK = {"router": ROUTER, "chain_id": 31337, "registry": ROUTER}


def router(account: str, generation: object = 3) -> dict[str, object]:
    """What a router answers by path."""
    return {
        "/v1/network": NETWORK,
        "/v1/network/grants": {},
        f"/v1/network/accounts/{account}": {"address": account, "generation": generation},
    }


def test_keys_are_made_listed_and_shown(infera: Any, infera_home: Path) -> None:
    assert "infera keys new" in infera("keys", "list").out
    made = infera("keys", "new", "cold").out.split()[0]
    assert infera("keys", "show", "cold").out.strip() == made
    assert infera("keys", "list").out.splitlines()[1].split() == ["cold", made]
    assert made == KeyStore(infera_home / "keys").get("cold").address


def test_key_is_not_made_twice(infera: Any) -> None:
    infera("keys", "new", "cold")
    assert "[key_exists]" in infera("keys", "new", "cold").err


def test_key_is_imported_from_standard_input_and_never_printed(
    infera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "0x" + "11" * 32
    monkeypatch.setattr("sys.stdin", io.StringIO(secret + "\n"))
    done = infera("keys", "import", "cold")
    assert done.out.strip() == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    assert secret[2:] not in done.out + done.err


def test_bad_import_does_not_repeat_the_text(infera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("not-a-key-but-secret\n"))
    done = infera("keys", "import", "cold")
    assert done.code == 1
    assert "not-a-key" not in done.err


def test_issued_key_is_granted_to_the_router(infera: Any, infera_home: Path, serve: Any) -> None:
    account = infera("keys", "new", "developer").out.split()[0]
    server = serve(router(account))
    done = infera("keys", "issue", "--url", f"{server.url}/v1", "--daily-usdc", "2.5")
    assert done.code == 0, done.err
    bearer = done.out.split()[0]
    ((_, body),) = server.posted
    grant = KeyGrant.from_json(body["grant"])
    assert grant.account == account
    assert grant.routers == (ROUTER,)
    assert grant.key_hash == key_hash(bearer)
    assert grant.daily_cap == 2_500_000
    assert grant.generation == 3
    digest = grant.digest(Domain(31337, ROUTER))
    assert recover(digest, bytes.fromhex(body["signature"][2:])) == account
    kept = infera_home / "api_keys" / "default"
    assert kept.read_text() == bearer
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_key_that_is_refused_is_not_kept(infera: Any, infera_home: Path, serve: Any) -> None:
    account = infera("keys", "new", "developer").out.split()[0]
    refused = (400, {"error": {"message": "Grant refused: no."}})
    server = serve(router(account) | {"/v1/network/grants": refused})
    done = infera("keys", "issue", "--url", f"{server.url}/v1")
    assert "Grant refused: no." in done.err
    assert list((infera_home / "api_keys").iterdir()) == []


def test_generation_that_is_given_is_not_asked_for(infera: Any, serve: Any) -> None:
    infera("keys", "new", "developer")
    server = serve({"/v1/network": NETWORK, "/v1/network/grants": {}})
    done = infera("keys", "issue", "--url", f"{server.url}/v1", "--generation", "7")
    assert done.code == 0, done.err
    assert server.posted[0][1]["grant"]["generation"] == 7


@pytest.mark.parametrize("generation", [None, "many"])
def test_router_that_does_not_tell_the_generation(
    infera: Any, infera_home: Path, serve: Any, generation: object
) -> None:
    account = infera("keys", "new", "developer").out.split()[0]
    server = serve(router(account, generation))
    done = infera("keys", "issue", "--url", f"{server.url}/v1")
    assert done.code == 1
    assert "say it with --generation" in done.err
    assert server.posted == []
    assert not (infera_home / "api_keys").exists()


def test_issued_key_is_never_overwritten(infera: Any, infera_home: Path, serve: Any) -> None:
    infera("keys", "new", "developer")
    (infera_home / "api_keys").mkdir()
    (infera_home / "api_keys" / "default").write_text("precious")
    assert "[file_exists]" in infera("keys", "issue").err
    assert (infera_home / "api_keys" / "default").read_text() == "precious"


def test_address_that_is_no_router(infera: Any, serve: Any) -> None:
    infera("keys", "new", "developer")
    server = serve({"/v1/network": {"hello": 1}})
    assert "not a router's base URL" in infera("keys", "issue", "--url", f"{server.url}/v1").err


def test_nobody_listens(infera: Any) -> None:
    infera("keys", "new", "developer")
    done = infera("keys", "issue", "--url", "http://127.0.0.1:9/v1")
    assert done.code == 1
    assert "[server_unreachable]" in done.err


def test_models_are_listed_with_prices(infera: Any, serve: Any) -> None:
    listing = {
        "id": "bee-1",
        "context_length": 1024,
        "pricing": {
            "prompt_micro_usdc_per_million": 500_000,
            "completion_micro_usdc_per_million": 1_500_000,
        },
        "tiers": ["optimistic"],
        "providers": 2,
    }
    server = serve({"/v1/models": {"data": [listing]}})
    (row,) = infera("models", f"{server.url}/v1").out.splitlines()[1:]
    assert row.split() == ["bee-1", "1024", "0.5", "1.5", "optimistic", "2"]


def test_models_of_something_else(infera: Any, serve: Any) -> None:
    server = serve({"/v1/models": b"<html>"})
    assert "did not answer with JSON" in infera("models", f"{server.url}/v1").err
