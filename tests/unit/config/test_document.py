"""The YAML subset: what is read, what is refused, and where it says the fault is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infera.config.document import Reference, parse, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", 1),
        ("a: 10_000", 10_000),
        ("a: -3", -3),
        ("a: 0x1f", 31),
        ("a: 1.5", 1.5),
        ("a: 1e-3", 0.001),
        ("a: .inf", float("inf")),
        ("a: true", True),
        ("a: yes", "yes"),
        ("a: on", "on"),
        ("a: 8080:80", "8080:80"),
        ("a: 127.0.0.1:0", "127.0.0.1:0"),
        ("a: 2026-01-02", "2026-01-02"),
        ("a: 0777", 777),
        ("a: ~", None),
        ("a:", None),
        ("a: '1'", "1"),
        ("a: 1__0", "1__0"),
        ("a: [1, {b: c}]", [1, {"b": "c"}]),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: Any) -> None:
    document = parse(text)
    assert document.problems == []
    assert document.data == {"a": value}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "is given twice"),
        ("a: &x 1\nb: *x", 2, 1, "repeats another by alias"),
        ("a: &x [*x]", 1, 4, "repeats another by alias"),
        ("a: !!binary aGk=", 1, 4, "has the tag"),
        ("a: !secret x", 1, 4, "has the tag"),
        ("1: x", 1, 1, "key that is no string"),
        ("[x]: y", 1, 1, "key that is no string"),
        ("a: [1", 1, 6, "is not valid YAML"),
        ("a: 1\n--- \nb: 2", 2, 1, "is not valid YAML"),
        ("a: b: c", 1, 5, "is not valid YAML"),
        ("ok: 1\nx: \x07", 2, 4, "U+0007"),
        ("a: !!int x", 1, 4, "is not a valid int"),
        ("a: " + "9" * 5000, 1, 4, "is not a valid int"),
    ],
)
def test_faults_have_a_place(text: str, line: int, column: int, words: str) -> None:
    (problem,) = [p for p in parse(text).problems if words in p.message]
    assert (problem.line, problem.column) == (line, column)


def test_duplicate_key_names_the_first() -> None:
    (problem,) = parse("a: 1\na: 2").problems
    assert problem.hint == "first on line 1"


@pytest.mark.parametrize("depth", [60, 3000])
def test_deep_nesting_is_refused(depth: int) -> None:
    document = parse("[" * depth + "]" * depth)
    assert any("nested too deeply" in p.message for p in document.problems)


def test_references_are_marked() -> None:
    data = parse("a: ${env:X}\nb: ${file:~/k}\nc: x${env:X}").data
    assert isinstance(data["a"], Reference)
    assert data["b"].split_reference() == ("file", "~/k")
    assert not isinstance(data["c"], Reference)


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    (problem,) = read(path).problems
    assert (problem.line, problem.column, problem.message) == (2, 4, "is not UTF-8")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = read(tmp_path / "x.yaml").problems
    assert "No such file" in problem.message


def test_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(path).data == {"a": 1}
