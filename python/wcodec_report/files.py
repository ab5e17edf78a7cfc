"""Files appear whole or not at all."""

import os
import tempfile
from pathlib import Path

from .errors import ReportError
from .text import visible


def replace(path: Path, content: bytes) -> None:
    """Writes beside ``path`` and renames, so that a reader sees the old file or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        where = visible(str(path))
        raise ReportError(f"{where} cannot be written ({error.strerror}): free space or change permissions.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
