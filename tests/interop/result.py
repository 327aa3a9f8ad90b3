"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Result"]


@dataclass
class Result:
    """A cell of the matrix. problems: sentences; none: it is green. unsupported: by the client or the server.
    shown_by: the packet that shows what is said to explain it."""

    case: str
    client: str
    server: str
    problems: list[str] = field(default_factory=list)
    unsupported: str = ""
    seconds: float = 0.0
    datagrams: int = 0
    shown_by: str = ""

    @property
    def green(self) -> bool:
        return not self.problems and not self.unsupported
