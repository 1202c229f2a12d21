"""JSON Schema of a configuration file for the installed set of plugins: completion and checks in
an editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from infera.config.reference import settings_of
from infera.config.schema import BlockHead, ConfigFile
from infera.kernel.registry import LAYERS, by_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from infera.kernel.registry import Registry

_REF = "#/$defs/{model}"


def json_schema(registry: Registry) -> dict[str, Any]:
    """One schema: the kernel's keys, and per layer one alternative for each kind."""
    kinds = {layer: by_name(registry.kinds[layer]) for layer in LAYERS}
    models = [kind.config_model for layer in LAYERS for kind in kinds[layer]]
    unique: list[type[BaseModel]] = list(dict.fromkeys([ConfigFile, BlockHead, *models]))
    refs, defs = models_json_schema(
        [(model, "validation") for model in unique],
        ref_template=_REF,
        schema_generator=GenerateJsonSchema,
    )
    definitions: dict[str, Any] = defs.get("$defs", {})

    def resolve(model: type[BaseModel]) -> dict[str, Any]:
        ref = refs[(model, "validation")]["$ref"]
        return dict(definitions[ref.rsplit("/", 1)[1]])

    top, head = resolve(ConfigFile), resolve(BlockHead)["properties"]
    properties = dict(top["properties"])
    for layer in LAYERS:
        blocks = []
        for kind in kinds[layer]:
            own = resolve(kind.config_model)
            texts = {s.name: s.text for s in settings_of(kind.config_model) if s.text}
            fields = {
                key: {"description": texts[key], **value} if key in texts else value
                for key, value in own.get("properties", {}).items()
                if key != "name"
            }
            block = {
                "type": "object",
                "title": kind.kind,
                "description": own.get("description", ""),
                "properties": {**head, **fields, "kind": {"const": kind.kind}},
                "required": ["kind", *(k for k in own.get("required", ()) if k != "name")],
                "additionalProperties": False,
            }
            blocks.append(block)
        items = {"oneOf": blocks} if blocks else False
        properties[layer] = {
            "type": ["array", "null"],
            "description": _doc(properties[layer]),
            "items": items,
        }
    used = _referenced({"properties": properties}, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "INFERA node configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {name: definitions[name] for name in sorted(used)},
    }


def _doc(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))


def _referenced(value: Any, definitions: dict[str, Any]) -> set[str]:
    """Names of the definitions that `value` needs, directly or through others."""
    found: set[str] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            ref = item.get("$ref")
            if isinstance(ref, str) and (name := ref.rsplit("/", 1)[1]) not in found:
                found.add(name)
                stack.append(definitions[name])
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found
