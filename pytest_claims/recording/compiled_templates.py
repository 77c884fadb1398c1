"""Templates as Jinja compiled them, kept where Python keeps bytecode: to fill one takes less time."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from pickle import UnpicklingError

import jinja2
from jinja2.bccache import Bucket


class Kept(jinja2.BytecodeCache):
    """Bytecode of the templates whose environment the file ``maker`` makes.

    What Jinja compiles depends on its version and on the environment's options, which Jinja does not ask for.
    """

    def __init__(self, maker: Path) -> None:
        self.maker = maker
        told = jinja2.__version__.encode() + maker.read_bytes()
        self.made_by = hashlib.sha256(told).hexdigest()[:16]

    def _path(self, bucket: Bucket) -> Path:
        name = f"{bucket.key[:16]}-{self.made_by}.j2.py"
        return Path(cache_from_source(str(self.maker.with_name(name))))

    def load_bytecode(self, bucket: Bucket) -> None:
        """Have Jinja take what is kept; it compares the template's content itself."""
        try:
            bucket.bytecode_from_string(self._path(bucket).read_bytes())
        except (OSError, EOFError, UnpicklingError):  # none, or of a disk that was full
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled, unless Python was told to keep nothing, or may not."""
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(bucket.bytecode_to_string())
            part.replace(path)
