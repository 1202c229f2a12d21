"""From a file to a `NodeConfig`, in two phases: the kernel's schema, then each block by its `kind`.

Every fault found on the way is reported at once, with file, line and column.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from infera.config.document import Document, Loc, Reference, parse, read
from infera.config.schema import BlockHead, ConfigFile
from infera.config.secret import Secret
from infera.errors import ConfigError, did_you_mean
from infera.kernel.registry import KERNEL_KEYS, LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infera.kernel.registry import Kind, Registry

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Block:
    """A validated block. `where` is its file:line."""

    kind: Kind
    name: str
    optional: bool
    config: BaseModel
    where: str


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A whole validated configuration."""

    file: str
    name: str
    home: Path
    state_url: Secret
    layers: Mapping[str, tuple[Block, ...]]

    def blocks(self) -> Iterator[Block]:
        """All blocks in the order in which they start."""
        for layer in LAYERS:
            yield from self.layers[layer]


def load(
    source: Path | str,
    registry: Registry,
    *,
    overrides: Mapping[Loc, Any] | None = None,
    home: Path | None = None,
) -> NodeConfig:
    """Load a file (`Path`) or YAML text (`str`). Raises `ConfigError` with every problem.

    `overrides` replace values before validation, as `{("chains", 0, "rpc"): url}`; those whose
    parent does not exist are ignored. `home` beats INFERA_HOME, which beats the file.
    """
    if isinstance(source, Path):
        document, base = read(source), source.resolve().parent
    else:
        document, base = parse(source), Path.cwd()
    if document.data is None and not document.problems:
        document.data = {}
    if not isinstance(document.data, dict):
        if not document.problems:
            document.problem((), "must be a mapping with keys like `roles:`")
        raise ConfigError(document.problems)
    for loc, value in (overrides or {}).items():
        _override(document.data, loc, value)
    loading = _Loading(document, base, registry)
    config = loading.run(home)
    if document.problems or config is None:
        raise ConfigError(document.problems)
    return config


class _Loading:
    def __init__(self, document: Document, base: Path, registry: Registry) -> None:
        self.document = document
        self.base = base
        self.registry = registry

    def run(self, home: Path | None) -> NodeConfig | None:
        # A section whose entries are all commented out reads as null; it means the default.
        data = {k: v for k, v in self.document.data.items() if v is not None or k not in _SECTIONS}
        raw_layers = {layer: data.pop(layer, []) for layer in LAYERS}
        top = self.validate(ConfigFile, data, ())
        layers = {layer: self.layer(layer, raw) for layer, raw in raw_layers.items()}
        if top is None:
            return None
        place = home or os.environ.get("INFERA_HOME") or top.node.home or "~/.infera"
        folder = Path(place).expanduser().absolute()
        url = top.state.url or Secret(f"sqlite+aiosqlite:///{folder / 'state.db'}")
        return NodeConfig(self.document.file, top.node.name, folder, url, layers)

    def layer(self, layer: str, raw: object) -> tuple[Block, ...]:
        if not isinstance(raw, list):
            self.document.problem(
                (layer,), "must be a list of blocks", hint="start each with `- kind:`"
            )
            return ()
        blocks: list[Block] = []
        names: dict[str, int] = {}
        for index, item in enumerate(raw):
            block = self.block(layer, index, item, names)
            if block is not None:
                blocks.append(block)
        return tuple(blocks)

    def block(self, layer: str, index: int, raw: object, names: dict[str, int]) -> Block | None:
        loc: Loc = (layer, index)
        if not isinstance(raw, dict):
            self.document.problem(loc, "must be a block", hint="like `- kind: …`")
            return None
        head = self.validate(BlockHead, {k: raw[k] for k in KERNEL_KEYS if k in raw}, loc)
        if head is None:
            return None
        line, _ = self.document.position(loc)
        name = head.name or head.kind
        if name in names:
            self.document.problem(
                (*loc, "name") if "name" in raw else loc,
                f"another of the {layer} is named {name!r}",
                hint=f"first on line {names[name]}; give each a `name:` of its own",
            )
        names.setdefault(name, line)
        kind = self.registry.kinds[layer].get(head.kind)
        if kind is None:
            hint = self.registry.suggest(layer, head.kind)
            self.document.problem(
                (*loc, "kind"),
                f"no {layer[:-1]} of this kind is installed",
                got=repr(head.kind),
                hint=hint,
            )
            return None
        own = {k: v for k, v in raw.items() if k not in KERNEL_KEYS}
        if "name" in kind.config_model.model_fields:
            own["name"] = name
        config = self.validate(kind.config_model, own, loc)
        if config is None:
            return None
        return Block(kind, name, head.optional, config, f"{self.document.file}:{line}")

    def validate(self, model: type[M], raw: dict[str, Any], loc: Loc) -> M | None:
        """The model, or None with the problems noted."""
        made: M | None = None
        try:
            made = model.model_validate(raw, context={"base": self.base})
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.note(model, loc, cast("dict[str, Any]", detail))
        except RecursionError:
            self.document.problem(loc, "is nested too deeply")
        for inner, value in _walk(raw, loc):
            if isinstance(value, Reference) and not value.used:
                self.document.problem(
                    inner,
                    "references are resolved in secret settings only",
                    got=repr(str(value)),
                    hint="write the value itself",
                )
                made = None
        return made

    def note(self, model: type[BaseModel], base: Loc, detail: dict[str, Any]) -> None:
        """A pydantic error as a problem.

        Parts of its location that name no place in the file are dropped.
        """
        loc = base
        raw_loc = cast("Loc", detail["loc"])
        for part in raw_loc:
            if (*loc, part) not in self.document.values and detail["type"] != "missing":
                continue
            loc = (*loc, part)
        kind, given = detail["type"], detail.get("input")
        if kind == "extra_forbidden":
            fields = _fields_at(model, raw_loc[:-1])
            if not raw_loc[:-1] and base:
                fields = [*fields, *KERNEL_KEYS]
            hint = did_you_mean(str(raw_loc[-1]), fields)
            self.document.problem(loc, "there is no such setting", at_key=True, hint=hint)
        elif kind == "missing":
            self.document.problem(loc, "is required")
        else:
            message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            if kind in ("model_type", "dict_type", "model_attributes_type"):
                message = "must be a mapping of settings"
            message = message.replace("Input should be", "must be").replace("String should", "must")
            scalar = isinstance(given, (str, int, float, bool)) and not kind.startswith("secret_")
            self.document.problem(loc, message, got=_short(given) if scalar else "")


_SECTIONS = frozenset(ConfigFile.model_fields)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer beyond the interpreter's digit limit
        return "a number that is too long"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _fields_at(model: object, loc: Iterable[str | int]) -> list[str]:
    """Field names of the model that sits at `loc` under `model`, as far as plain nesting tells."""
    here: list[type[BaseModel]] = _models_in(model)
    for part in loc:
        if isinstance(part, str):
            found = [m.model_fields[part].annotation for m in here if part in m.model_fields]
            here = [inner for annotation in found for inner in _models_in(annotation)]
    return sorted({name for m in here for name in m.model_fields})


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for arg in get_args(annotation) for found in _models_in(arg)]


def _walk(value: object, loc: Loc) -> Iterator[tuple[Loc, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*loc, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*loc, index))
    else:
        yield loc, value


def _override(data: Any, loc: Loc, value: object) -> None:
    for position, part in enumerate(loc[:-1]):
        if isinstance(data, dict) and isinstance(part, str):
            if data.get(part) is None:
                data[part] = [] if isinstance(loc[position + 1], int) else {}
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return
    if isinstance(data, dict):
        data[loc[-1]] = value
