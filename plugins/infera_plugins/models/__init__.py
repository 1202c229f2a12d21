"""Models that travel with the code: small Hugging Face folders, ready to load offline."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def shipped(name: str = "first_light") -> Path:
    """Folder of the shipped model `name`, holding `config.json` and `model.safetensors`.

    Raises `FileNotFoundError` when no such model is shipped.
    """
    folder = _HERE / name
    if folder.parent != _HERE or not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no shipped model named {name!r}")
    return folder
