"""Two phases, all problems at once, each with its place and what was probably meant."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from infera.config import NodeConfig, Secret, load, render, show
from infera.config.export import json_schema
from infera.errors import ConfigError, Problem
from infera.hookspecs import Register, hookimpl
from infera.kernel.plugins import load_plugins
from infera.testing.fakes import FakePlugin, FakeRole

if TYPE_CHECKING:
    from pathlib import Path


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    burst: int = Field(10, ge=1)


class RichConfig(BaseModel):
    """A block with one of everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    token: Secret | None = None
    price: int = 100
    listen: str = "127.0.0.1:0"
    limits: Limits = Limits()
    tags: list[str] = []
    size: Limits | str | None = None

    @field_validator("listen")
    @classmethod
    def _has_port(cls, value: str) -> str:
        if ":" not in value:
            raise ValueError("needs a port")
        return value


class StrictConfig(BaseModel):
    """A block with a required key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str


class RichPlugin:
    @hookimpl
    def infera_register_roles(self, register: Register) -> None:
        register("rich", lambda config, context: FakeRole(), RichConfig)
        register("strict", lambda config, context: FakeRole(), StrictConfig)


REGISTRY = load_plugins(
    [("rich", RichPlugin()), ("fake", FakePlugin())], entry_points=False
).registry


def read(text: str, **options: Any) -> NodeConfig:
    return load(dedent(text), REGISTRY, **options)


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.exit_code == 78
    return caught.value.problems


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem


# -- what is accepted


def test_empty_file_is_all_defaults() -> None:
    config = read("")
    assert config.name == "node"
    assert list(config.blocks()) == []


def test_section_with_everything_commented_out_is_empty() -> None:
    assert read("roles:\n# - kind: rich\nnode:").layers["roles"] == ()


def test_names_default_to_the_kind_and_reach_the_model() -> None:
    config = read("roles: [{kind: rich}, {kind: rich, name: other}, {kind: strict, model: m}]")
    first, second, third = config.layers["roles"]
    assert (first.name, second.name, third.name) == ("rich", "other", "strict")
    assert isinstance(second.config, RichConfig)
    assert second.config.name == "other"


def test_state_defaults_to_a_file_in_the_home(tmp_path: Path) -> None:
    assert read("", home=tmp_path).state_url.get_secret_value().endswith(f"{tmp_path}/state.db")


def test_home_of_the_command_line_beats_environment_beats_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "node: {home: /from/file}"
    monkeypatch.delenv("INFERA_HOME", raising=False)
    assert str(read(text).home) == "/from/file"
    monkeypatch.setenv("INFERA_HOME", "/from/environment")
    assert str(read(text).home) == "/from/environment"
    assert read(text, home=tmp_path).home == tmp_path


def test_overrides_replace_values_before_validation() -> None:
    overrides = {("roles", 0, "listen"): "h:1", ("roles", 5, "listen"): "h:2"}
    (block,) = read("roles: [{kind: rich, listen: x}]", overrides=overrides).layers["roles"]
    assert block.config.model_dump()["listen"] == "h:1"


# -- problems


def test_all_problems_at_once_in_order() -> None:
    text = """\
        node: {nmae: x}
        roles:
          - kind: rich
            price: ten
            prise: 10
            limits: {burst: 0, brust: 1}
          - kind: rihc
          - kind: strict
            name: Bad Name
          - kind: strict
    """
    assert [(p.line, p.column, p.path) for p in problems(text)] == [
        (1, 8, "node.nmae"),
        (4, 12, "roles[0].price"),
        (5, 5, "roles[0].prise"),
        (6, 21, "roles[0].limits.burst"),
        (6, 24, "roles[0].limits.brust"),
        (7, 11, "roles[1].kind"),
        (9, 11, "roles[2].name"),
        (10, 5, "roles[3].model"),
    ]


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("roels: []", "roels", "did you mean 'roles'?"),
        ("roles: [{kind: rihc}]", "roles[0].kind", "did you mean 'rich'?"),
        ("roles: [{kind: rich, prise: 1}]", "roles[0].prise", "did you mean 'price'?"),
        ("roles: [{kind: rich, optinal: 1}]", "roles[0].optinal", "did you mean 'optional'?"),
        (
            "roles: [{kind: rich, limits: {brust: 1}}]",
            "roles[0].limits.brust",
            "did you mean 'burst'?",
        ),
        ("engines: [{kind: rich}]", "engines[0].kind", "move it under `roles:`"),
        ("roles: {kind: rich}", "roles", "start each with `- kind:`"),
        ("roles: [rich]", "roles[0]", "like `- kind: …`"),
    ],
)
def test_hints_say_what_was_meant(text: str, path: str, hint: str) -> None:
    problem = only(text)
    assert problem.path == path
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("roles: [{price: 1}]", "is required"),
        ("[]", "must be a mapping"),
        ("node: 3", "must be a mapping of settings"),
        ("roles: [{kind: rich, listen: x}]", "needs a port"),
        ("roles: [{kind: rich, optional: 7}]", "must be a valid boolean"),
    ],
)
def test_messages(text: str, words: str) -> None:
    assert words in only(text).message


def test_two_blocks_of_a_name_are_refused() -> None:
    problem = only("roles:\n- kind: rich\n- kind: rich\n")
    assert (problem.line, problem.column) == (3, 3)
    assert "first on line 2" in problem.hint


def test_same_name_in_two_layers_is_fine() -> None:
    read("roles: [{kind: fake}]\nengines: [{kind: fake}]")


# -- secrets


def secret_of(config: NodeConfig) -> str:
    return config.layers["roles"][0].config.token.get_secret_value()  # type: ignore[attr-defined]


def test_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t0k")
    assert secret_of(read("roles: [{kind: rich, token: '${env:TOKEN}'}]")) == "t0k"


def test_secret_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0k\n")
    path = tmp_path / "node.yaml"
    path.write_text("roles: [{kind: rich, token: '${file:token}'}]")
    assert secret_of(load(path, REGISTRY)) == "t0k"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${env:NOT_SET_ANYWHERE}", "NOT_SET_ANYWHERE is not set"),
        ("${file:/no/such/file}", "cannot be read: No such file"),
    ],
)
def test_secret_that_cannot_be_had(value: str, words: str) -> None:
    assert words in only(f"roles: [{{kind: rich, token: '{value}'}}]").message


def test_references_elsewhere_are_refused() -> None:
    problem = only("roles:\n- kind: rich\n  tags: [a, '${env:HOME}']")
    assert (problem.line, problem.path) == (3, "roles[0].tags[1]")
    assert "secret settings only" in problem.message


def test_value_of_a_bad_secret_is_not_repeated() -> None:
    problem = only("roles: [{kind: rich, token: 12345}]")
    assert "12345" not in str(problem)
    assert "quote it" in problem.message


# -- showing


def test_show_fills_in_defaults_and_masks_secrets() -> None:
    text = """\
        state: {url: "postgresql://infera:hunter2@db/x"}
        roles: [{kind: rich, token: hunter2}]
    """
    shown = show(read(text))
    assert "hunter2" not in shown
    assert "infera:***@db" in shown
    assert "price: 100" in shown
    assert "burst: 10" in shown


def test_what_is_shown_can_be_read_again() -> None:
    config = read("roles: [{kind: rich, name: a, tags: [x]}, {kind: strict, model: m}]")
    assert show(read(show(config))) == show(config)


def test_rendered_problems_have_line_and_caret(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("roles:\n  - kind: rihc\n")
    with pytest.raises(ConfigError) as caught:
        load(path, REGISTRY)
    assert render(caught.value).splitlines() == [
        (
            f"{path}:2:11 roles[0].kind: no role of this kind is installed (got 'rihc')"
            " (did you mean 'rich'?)"
        ),
        "    2 |   - kind: rihc",
        "                  ^",
        "1 problem in the configuration",
    ]


def test_schema_has_an_alternative_for_each_kind() -> None:
    schema = json_schema(REGISTRY)
    json.dumps(schema)
    alternatives = {a["title"]: a for a in schema["properties"]["roles"]["items"]["oneOf"]}
    assert set(alternatives) == {"rich", "strict", "fake"}
    assert alternatives["strict"]["required"] == ["kind", "model"]
    assert "optional" in alternatives["rich"]["properties"]
    assert "Limits" in schema["$defs"]


# -- never a crash

KEYS = ["node", "state", "roles", "engines", "kind", "name", "token", "price", "limits", "x", "url"]
WORDS = ["rich", "strict", "fake", "${env:HOME}", "${file:x}", "yes", "", "1", "Bad Name"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


def check(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + 2
    lines += text.count("\u2028") + text.count("\u2029")
    try:
        config = load(text, REGISTRY)
    except ConfigError as refused:
        found, rendered = refused.problems, render(refused)
    else:
        show(config)
        return
    assert f"{len(found)} problem" in rendered
    for problem in found:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.message
        assert problem.path


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_any_structure_is_read_or_refused(data: dict[str, Any]) -> None:
    check(json.dumps(data, ensure_ascii=False))


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@given(st.text(alphabet="ab:-[]{},\n &*!|>'\"#%@`?~0_.$"))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    check(text)


VALID = "node: {name: n}\nroles:\n  - kind: rich\n    token: t\n    limits: {burst: 3}\n"


@given(st.integers(0, len(VALID)), st.text(max_size=3))
def test_any_typo_is_read_or_refused(at: int, inserted: str) -> None:
    check(VALID[:at] + inserted + VALID[at + 1 :])
