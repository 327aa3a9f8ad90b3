"""Why something cannot be recorded, in words."""

from __future__ import annotations

import errno

__all__ = ["why"]

# Where the system's own words are of no help.
_WORDS = {
    errno.ENXIO: "it is a pipe that nobody reads",
    errno.EPIPE: "nobody reads the pipe any more",
    errno.EAGAIN: "its reader does not keep up",
    errno.EISDIR: "it is a directory",
    errno.ENOTDIR: "a part of the path is no directory",
    errno.EEXIST: "it is no directory",
}


def why(error: OSError) -> str:
    """The reason, for the end of a sentence."""
    return _WORDS.get(error.errno or 0) or error.strerror or str(error)
