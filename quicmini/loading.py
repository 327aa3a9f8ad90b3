"""Ctrl-C while the modules of a command load: the process ends at once, without a traceback, as nothing has begun yet.

That time begins when this module is imported, before all others, and ends with `over`. It is so for the commands of
this project alone: in any other program it is not ours to say what Ctrl-C does.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["over"]

_MODULES = ("quicmini", "chat")  # of `python -m`
_SCRIPTS = ("quicmini", "quicmini-chat")


def _is_command() -> bool:
    """Whether this process was started to run a command of this project."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # as it is while the module is being looked for
        options = sys.orig_argv
        return "-m" in options[:-1] and options[options.index("-m") + 1] in _MODULES
    return os.path.basename(program) in _SCRIPTS


def over() -> None:
    """All that the command needs has been loaded: from now on Ctrl-C is a KeyboardInterrupt. May be repeated."""
    if _quiet:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_quiet = _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _quiet:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
