"""What the loader accepts, in which order, and how it says no."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from infera.errors import PluginError
from infera.hookspecs import Candidate, Manifest, Register, hookimpl
from infera.kernel import plugins as subject
from infera.kernel.plugins import load_plugins
from infera.testing.fakes import FakeConfig, FakeEngine, FakePlugin, FakeRole
from infera.types import JobRequest, Tier

REQUEST = JobRequest(kind="chat", model="m")


def load(*found: tuple[str, object]) -> subject.Plugins:
    return load_plugins(found, entry_points=False)


def candidate(address: str) -> Candidate:
    return Candidate(address, 1, 1, 0, 10, 1, 0)


def test_kinds_of_a_plugin_are_found_by_layer() -> None:
    registry = load(("fake", FakePlugin())).registry
    assert registry.find("engines", "fake").factory is FakeEngine
    assert registry.find("roles", "fake").plugin == "fake"


def test_infos_name_hooks_and_summary() -> None:
    (info,) = load(("fake", FakePlugin())).infos
    assert info.manifest.summary == "Deterministic fakes for tests"
    assert "infera_register_engines" in info.hooks


def test_async_hook_is_refused_with_place_and_advice() -> None:
    class Plugin:
        @hookimpl
        async def infera_register_roles(self, register: Register) -> None: ...

    with pytest.raises(
        PluginError, match=r"plugin 'bad' \(.*test_plugins\.py:\d+\).*`async def`"
    ) as caught:
        load(("bad", Plugin()))
    assert "serve" in caught.value.hint


def test_async_generator_hook_is_refused() -> None:
    class Plugin:
        @hookimpl
        async def infera_pick_tier(self, request: JobRequest) -> Any:
            yield Tier.TEE

    with pytest.raises(PluginError, match="synchronous"):
        load(("bad", Plugin()))


def test_unknown_hook_is_refused_with_the_nearest_name() -> None:
    class Plugin:
        @hookimpl
        def infera_register_engine(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match=r"'bad'.*is no hook") as caught:
        load(("bad", Plugin()))
    assert "infera_register_engines" in caught.value.hint


def test_unmarked_hook_is_refused() -> None:
    class Plugin:
        def infera_register_engines(self, register: Register) -> None: ...

    with pytest.raises(PluginError, match="not marked"):
        load(("bad", Plugin()))


def test_plugin_without_hooks_is_refused() -> None:
    with pytest.raises(PluginError, match=r"'empty' \(.*\) has no hook"):
        load(("empty", ModuleType("empty")))


def test_unknown_parameter_is_refused() -> None:
    class Plugin:
        @hookimpl
        def infera_register_roles(self, registry: Register) -> None: ...

    with pytest.raises(PluginError, match=r"'bad'.*registry"):
        load(("bad", Plugin()))


def test_wrapper_is_refused() -> None:
    class Plugin:
        @hookimpl(wrapper=True)
        def infera_pick_tier(self, request: JobRequest) -> Any:
            return (yield)

    with pytest.raises(PluginError, match="wrapped"):
        load(("bad", Plugin()))


def test_duplicate_kind_names_both_plugins() -> None:
    with pytest.raises(
        PluginError, match=r"'fake' is registered twice: by plugin 'a' \(.*by plugin 'b'"
    ) as e:
        load(("a", FakePlugin()), ("b", FakePlugin()))
    assert "INFERA_PLUGINS" in e.value.hint


def test_duplicate_kind_within_one_plugin_is_refused() -> None:
    class Plugin:
        @hookimpl
        def infera_register_roles(self, register: Register) -> None:
            register("twice", FakeRole, FakeConfig)
            register("twice", FakeRole, FakeConfig)

    with pytest.raises(PluginError, match="registered twice"):
        load(("bad", Plugin()))


class Loose(BaseModel):
    x: int = 1


class Claims(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    optional: bool = True


@pytest.mark.parametrize(
    ("kind", "factory", "model", "words"),
    [
        ("Bad-Kind", FakeRole, FakeConfig, "snake_case"),
        ("good", 3, FakeConfig, "cannot be called"),
        ("good", FakeRole, FakeConfig(), "no pydantic model"),
        ("good", FakeRole, dict, "no pydantic model"),
        ("good", FakeRole, Loose, "unknown keys or is not frozen"),
        ("good", FakeRole, Claims, "declares optional"),
    ],
)
def test_bad_registration_is_refused(kind: str, factory: Any, model: Any, words: str) -> None:
    class Plugin:
        @hookimpl
        def infera_register_roles(self, register: Register) -> None:
            register(kind, factory, model)

    with pytest.raises(PluginError, match=words) as caught:
        load(("bad", Plugin()))
    assert "'bad'" in caught.value.message


def test_error_in_a_hook_carries_the_plugin_name() -> None:
    class Plugin:
        @hookimpl
        def infera_register_roles(self, register: Register) -> None:
            raise RuntimeError("oops")

    with pytest.raises(RuntimeError) as caught:
        load(("bad", Plugin()))
    assert any("plugin 'bad'" in note for note in caught.value.__notes__)


def test_manifest_of_the_wrong_type_is_refused() -> None:
    class Plugin:
        @hookimpl
        def infera_manifest(self) -> Any:
            return {"name": "x"}

    with pytest.raises(PluginError, match="infera_manifest returned dict"):
        load(("bad", Plugin()))


def requiring(name: str, *requires: str) -> tuple[str, object]:
    class Plugin:
        @hookimpl
        def infera_manifest(self) -> Manifest:
            return Manifest(name, "", requires)

    return name, Plugin()


def test_load_order_is_requirements_then_name() -> None:
    plugins = load(requiring("c"), requiring("a", "z"), requiring("z"), requiring("b"))
    assert [info.name for info in plugins.infos] == ["z", "a", "b", "c"]


def test_missing_requirement_is_refused() -> None:
    with pytest.raises(PluginError, match=r"'a' requires 'zz', which is not loaded"):
        load(requiring("a", "zz"))


def test_ring_of_requirements_is_refused() -> None:
    with pytest.raises(PluginError, match="a → b → a"):
        load(requiring("a", "b"), requiring("b", "a"))


def choosing(answer: Any) -> object:
    class Plugin:
        @hookimpl
        def infera_pick_provider(self, request: JobRequest, candidates: Any) -> Any:
            return answer

        @hookimpl
        def infera_pick_tier(self) -> Any:
            return answer

    return Plugin()


def test_last_loaded_plugin_chooses_first_and_none_passes_on() -> None:
    plugins = load(("a", choosing("0xA")), ("b", choosing("0xB")), ("c", choosing(None)))
    assert plugins.pick_provider(REQUEST, [candidate("0xA"), candidate("0xB")]) == "0xB"


def test_no_plugin_no_choice() -> None:
    plugins = load(("fake", FakePlugin()))
    assert plugins.pick_provider(REQUEST, [candidate("0xA")]) is None
    assert plugins.pick_tier(REQUEST) is None


def test_choice_outside_the_candidates_is_refused() -> None:
    with pytest.raises(PluginError, match=r"infera_pick_provider of 'a' chose '0xC'"):
        load(("a", choosing("0xC"))).pick_provider(REQUEST, [candidate("0xA")])


def test_choice_of_the_wrong_type_is_refused() -> None:
    assert load(("a", choosing(Tier.TEE))).pick_tier(REQUEST) is Tier.TEE
    with pytest.raises(PluginError, match="infera_pick_tier of 'a'"):
        load(("a", choosing("tee"))).pick_tier(REQUEST)


# -- entry points


class _Dist:
    version = "1.2.3"
    requires = ('exllamav2>=0.2; extra == "gpu"', "anyio>=4")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Pretend that these entry points are installed: name to module value."""
    points: dict[str, Any] = {}

    def entry_points(group: str) -> list[EntryPoint]:
        assert group == "infera.plugins"
        made = [EntryPoint(name, value, group) for name, value in points.items()]
        for point in made:
            vars(point).update(dist=_Dist())
        return made

    monkeypatch.setattr(subject.metadata, "entry_points", entry_points)
    monkeypatch.delenv("INFERA_PLUGINS", raising=False)
    return points


def test_environment_narrows_what_loads(
    installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.update(one="infera.testing.fakes:FakePlugin", two="infera.no_such_module")
    monkeypatch.setenv("INFERA_PLUGINS", "one, ")
    with pytest.raises(PluginError, match=r"'one'.*is a class"):
        load_plugins()
    monkeypatch.setenv("INFERA_PLUGINS", "")
    assert load_plugins().infos == []


def test_environment_that_names_a_stranger_is_refused(
    installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed["exact"] = "infera.testing.fakes"
    monkeypatch.setenv("INFERA_PLUGINS", "exat")
    with pytest.raises(PluginError, match="names 'exat'") as caught:
        load_plugins()
    assert "'exact'" in caught.value.hint


def test_missing_dependency_is_reported_with_its_extra(
    installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed["gpu_engine"] = "infera.testing.fakes"

    def load(self: EntryPoint) -> object:
        raise ModuleNotFoundError("No module named 'exllamav2'", name="exllamav2")

    monkeypatch.setattr(EntryPoint, "load", load)
    plugins = load_plugins()
    (missing,) = plugins.missing
    assert "pip install 'infera[gpu]'" in str(missing)
    with pytest.raises(PluginError) as caught:
        plugins.registry.find("engines", "gpu_engine")
    assert "infera[gpu]" in caught.value.hint


def test_extra_named_by_the_entry_point_wins(installed: dict[str, Any]) -> None:
    installed["zk"] = "infera.no_such_module [zk]"
    assert load_plugins().missing[0].extra == "zk"


def test_entry_point_to_nothing_is_refused(installed: dict[str, Any]) -> None:
    installed["bad"] = "infera.testing.fakes:nothing_here"
    with pytest.raises(PluginError, match="leads nowhere"):
        load_plugins()


def test_requirement_that_is_missing_says_how_to_get_it(installed: dict[str, Any]) -> None:
    installed["zk"] = "infera.no_such_module [zk]"
    with pytest.raises(PluginError, match=r"requires 'zk'.*infera\[zk\]"):
        load_plugins([requiring("a", "zk")])


# -- the registry's advice


def test_unknown_kind_gets_the_nearest() -> None:
    with pytest.raises(PluginError) as caught:
        load(("fake", FakePlugin())).registry.find("engines", "fkae")
    assert caught.value.hint == "did you mean 'fake'?"


def test_kind_of_another_layer_says_where() -> None:
    registry = load(("fake", FakePlugin())).registry
    assert "move it under `verifiers:`" in registry.suggest("chains", "fake")
