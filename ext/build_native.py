"""Write the C source of ``infera_ext._native``: ``build_native.py CDEF_FOLDER OUTPUT``.

Each ``cdef/*.h`` is read twice: by cffi, which makes the Python side from it, and by the C
compiler, which checks the implementation against it.  So such a file holds plain declarations only.
"""

import sys
from pathlib import Path

from cffi import FFI


def main(cdef_folder: str, output: str) -> None:
    headers = sorted(Path(cdef_folder).glob("*.h"))
    if not headers:
        raise SystemExit(f"no declarations in {cdef_folder}")
    ffi = FFI()
    for header in headers:
        ffi.cdef(header.read_text(encoding="utf-8"))
    # cffi checks a cdef'd constant or struct against what the C compiler sees in the same header.
    source = ["#include <stddef.h>", "#include <stdint.h>"]
    source += [f'#include "{_wrapper(header)}"' for header in headers]
    ffi.set_source("infera_ext._native", "\n".join(source) + "\n", py_limited_api=True)
    ffi.emit_c_code(output)


def _wrapper(header: Path) -> str:
    """The guarded header of csrc if there is one, else the bare declarations."""
    wrapper = header.parent.parent / "csrc" / header.name
    return f"csrc/{header.name}" if wrapper.exists() else f"cdef/{header.name}"


if __name__ == "__main__":
    main(*sys.argv[1:])
