"""generation_config.json: how a model's makers sample it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from infera.errors import EngineError, ProtocolError
from infera.protocol.jobs import sampling_from_json, sampling_to_json
from infera.types import Sampling

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN = ("temperature", "top_p", "top_k")


def read_sampling(folder: Path) -> Sampling:
    """The folder's defaults; the API's own where it names none. `do_sample: false` means greedy.

    Raises `EngineError` when the file is there and makes no sense.
    """
    path = folder / "generation_config.json"
    if not path.exists():
        return Sampling()
    try:
        fields: Any = orjson.loads(path.read_bytes())
        if not isinstance(fields, dict):
            raise ProtocolError("is not an object")
        if fields.get("do_sample") is False:
            return Sampling(temperature=0.0)
        given = {name: fields[name] for name in _TAKEN if fields.get(name) is not None}
        return sampling_from_json({**sampling_to_json(Sampling()), **given}, "generation_config")
    except (OSError, orjson.JSONDecodeError, ProtocolError) as error:
        raise EngineError(
            f"{path} cannot be used: {error}", hint="correct the file, or delete it"
        ) from None
