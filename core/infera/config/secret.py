"""`Secret`: a configuration value that may be kept elsewhere and is never printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import PydanticCustomError, core_schema

from infera.config.document import Reference


class Secret(SecretStr):
    """A string that a block may give as `${env:NAME}` or `${file:PATH}` (relative to the
    configuration file).

    The only type of field in which such references are resolved. `get_secret_value()` returns the
    string.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )


def _validate(value: object, info: core_schema.ValidationInfo) -> Secret:
    if isinstance(value, SecretStr):
        return Secret(value.get_secret_value())
    if not isinstance(value, str):
        # Its own error type, so that the value is not shown as "got".
        raise PydanticCustomError("secret_type", "must be a string (quote it)")
    if not isinstance(value, Reference):
        return Secret(value)
    value.used = True
    source, name = value.split_reference()
    if source == "env":
        found = os.environ.get(name)
        if found is None:
            raise PydanticCustomError(
                "secret_env", "environment variable {name} is not set", {"name": name}
            )
        return Secret(found)
    base = (info.context or {}).get("base") or Path.cwd()
    path = base / Path(name).expanduser()
    try:
        return Secret(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise PydanticCustomError(
            "secret_file", "{path} cannot be read: {reason}", {"path": str(path), "reason": reason}
        ) from None
