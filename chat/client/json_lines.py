"""A session as lines of JSON: each event an object, for scripts.

"event" names it: said, confirmed, refused, notice, names, rooms, welcomed, caught_up, moved, state_changed, ended; the
other fields are those of `chat.client.events`, times in milliseconds since 1970. Texts are as they came, but for what
JSON escapes. The last line is "ended"; its "error" is null if this side has left and everything was delivered.
"""

from __future__ import annotations

import json
import re
from typing import TextIO

from chat.client.events import Ended, Event, Refused
from chat.message import Kind
from chat.problems import writing

__all__ = ["JsonFace", "json_line"]


class JsonFace:
    """Writes a session's events to `out`."""

    def __init__(self, *, out: TextIO) -> None:
        self.not_sent = 0
        self._out = out

    def show(self, event: Event) -> None:
        """Raises Problem if it cannot be written, BrokenPipeError when nobody reads any more."""
        if isinstance(event, Refused) and event.kind in (Kind.SAY, Kind.ME, Kind.MSG) and event.said:
            self.not_sent += 1
        with writing():
            print(json_line(event), file=self._out, flush=True)


def json_line(event: Event) -> str:
    """The event as an object on one line; ASCII only, so that no terminal is harmed by it."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    fields = event._asdict()
    if isinstance(event, Ended) and event.error is not None:
        fields["error"] = str(event.error)
    return json.dumps({"event": name, **fields})
