# The cffi module that ext/CMakeLists.txt builds; cffi has no types to offer.
from typing import Any

ffi: Any
lib: Any
