"""validate, config, init, doctor."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from infera.checks import CheckContext, HealthCheck, Severity
from infera.cli.doctor import diagnose, in_order, report
from infera.config import shipped
from infera.kernel.lock import HomeLock
from infera.kernel.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "node.yaml"
    path.write_text("roles:\n  - kind: provder\nnode: {nam: x}\n")
    return path


@pytest.mark.parametrize("command", [("run",), ("validate",), ("config", "show"), ("doctor",)])
def test_wrong_configuration_exits_with_78_and_shows_the_place(
    command: tuple[str, ...], broken: Path, infera: Any
) -> None:
    done = infera(*command, str(broken))
    assert done.code == 78
    assert f"{broken}:2:11 roles[0].kind" in done.err
    assert "did you mean 'provider'?" in done.err
    assert "    2 |   - kind: provder\n                  ^" in done.err
    assert "2 problems in the configuration" in done.err


def test_missing_file_says_so(infera: Any) -> None:
    done = infera("validate", "nowhere.yaml")
    assert done.code == 78
    assert "nowhere.yaml:1:1" in done.err


def test_unknown_shipped_name_gets_the_nearest(infera: Any) -> None:
    assert "did you mean 'provider'?" in infera("validate", "provder").err


@pytest.fixture
def devnet(tmp_path: Path) -> str:
    """The shipped devnet, on any free port."""
    path = tmp_path / "devnet.yaml"
    text = shipped("devnet").read_text()
    assert "listen: 127.0.0.1:8080" in text
    path.write_text(text.replace("listen: 127.0.0.1:8080", "listen: 127.0.0.1:0"))
    return str(path)


def test_validate_shows_three_stages(infera: Any, devnet: str) -> None:
    done = infera("validate", devnet)
    assert done.code == 0, done.err
    stages = [line.split()[1] for line in done.out.splitlines() if line.startswith("ok")]
    assert stages[:2] == ["plugins", "configuration"]
    assert "environment" in stages


def test_validate_can_leave_the_environment_out(infera: Any) -> None:
    assert "environment    left out" in infera("validate", "provider", "--no-environment").out


def test_validate_touches_nothing(infera: Any, infera_home: Path, devnet: str) -> None:
    infera("validate", devnet)
    infera("doctor", devnet)
    assert list(infera_home.iterdir()) == []


def test_validate_fails_with_the_environment(infera: Any, infera_home: Path) -> None:
    (infera_home / "file").write_text("in the way")
    done = infera("validate", "devnet", "--home", str(infera_home / "file" / "home"))
    assert done.code == 1
    assert "home_writable" in done.out
    assert "[environment_not_ready]" in done.err


def test_config_show_masks_and_fills_in(infera: Any) -> None:
    shown = infera("config", "show", "provider").out
    assert "price_in: 100000" in shown
    assert "optional: false" in shown


def test_config_schema_is_json(infera: Any) -> None:
    assert json.loads(infera("config", "schema").out)["title"] == "INFERA node configuration"


def test_config_list_names_the_shipped_ones(infera: Any) -> None:
    shown = infera("config", "list").out
    assert all(name in shown for name in ("devnet", "provider", "router", "validator"))


# -- init


def test_init_writes_a_valid_file_and_never_overwrites(infera: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    assert infera("init", "provider", "-o", str(path)).code == 0
    assert infera("validate", str(path), "--no-environment").code == 0
    path.write_text("mine")
    done = infera("init", "provider", "-o", str(path))
    assert done.code == 1
    assert "[file_exists]" in done.err
    assert path.read_text() == "mine"


def test_init_of_an_unknown_role_gets_the_nearest(infera: Any) -> None:
    assert "did you mean 'router'?" in infera("init", "ruter").err


# -- doctor


def check(code: str, text: str | None, *after: str, **options: object) -> HealthCheck:
    async def run(context: CheckContext) -> str | None:
        return text

    return HealthCheck(code, f"{code} is fine", run, depends_on=after, **options)  # type: ignore[arg-type]


def diagnosed(*checks: HealthCheck, home: Path) -> dict[str, tuple[str | None, str]]:
    registry = Registry(checks={c.code: c for c in checks})
    results = anyio.run(diagnose, registry, home, None)
    assert report(results) >= 0
    return {r.check.code: (r.text, r.because) for r in results}


def test_a_cause_hides_its_symptoms(infera_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = diagnosed(
        check("z_cause", "the disk is gone: mount it"),
        check("a_symptom", "cannot write", "z_cause"),
        check("fine", None),
        home=infera_home,
    )
    assert found["a_symptom"] == (None, "z_cause")
    assert found["fine"] == (None, "")
    out = capsys.readouterr().out
    assert "the disk is gone: mount it" in out
    assert "cannot write" not in out


def test_warnings_do_not_fail(infera_home: Path) -> None:
    registry = Registry(checks={"w": check("w", "hm", severity=Severity.WARNING)})
    assert report(anyio.run(diagnose, registry, infera_home, None)) == 0


def test_a_broken_check_does_not_hide_the_others(infera_home: Path) -> None:
    async def run(context: CheckContext) -> str | None:
        raise ZeroDivisionError

    found = diagnosed(HealthCheck("bad", "", run), check("other", None), home=infera_home)
    assert "the check itself failed" in (found["bad"][0] or "")
    assert "other" in found


def test_checks_of_unused_kinds_are_left_out(infera_home: Path) -> None:
    assert "gpu" not in diagnosed(check("gpu", "no GPU", kinds=("exllamav2",)), home=infera_home)


def test_rings_and_strangers_among_checks_are_survived() -> None:
    ring = {c.code: c for c in (check("a", None, "b"), check("b", None, "a", "nobody"))}
    assert {c.code for c in in_order(ring)} == {"a", "b"}


def test_doctor_says_what_to_do_about_open_keys(infera: Any, infera_home: Path) -> None:
    infera_home.chmod(0o755)
    done = infera("doctor")
    assert f"chmod 700 {infera_home}" in done.out
    assert done.code == 0


def test_doctor_looks_at_what_the_configuration_uses(infera: Any, devnet: str) -> None:
    shown = infera("doctor", devnet).out
    for code in ("router_keys", "provider_routers", "validator_keys", "exact_models", "openai_tls"):
        assert f"   {code}" in shown
        assert f"   {code}" not in infera("doctor").out


def test_ports_of_the_running_node_are_its_own(
    infera: Any, infera_home: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = tmp_path / "front.yaml"
        listen = f"127.0.0.1:{server.getsockname()[1]}"
        path.write_text(f"fronts: [{{kind: openai, listen: '{listen}'}}]")
        assert f"{listen}: port" in infera("doctor", str(path)).out
        with HomeLock(infera_home):
            done = infera("doctor", str(path))
            assert done.code == 0, done.out
        done = infera("validate", str(path))
        assert (done.code, "openai_port_free" in done.out) == (1, True)
