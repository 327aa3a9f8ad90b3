"""The network of one client: what it tells of itself."""

from __future__ import annotations

from time import monotonic

from tests.soak.path import AFTERMATH, Path


def test_a_path_is_clear_when_it_has_been_so_ever_since() -> None:
    """Not when it only is so again: what was said before the dark time, or in its aftermath, waits for a timer."""
    path = Path(0.0, "seed")
    before = monotonic()
    assert path.clear_since(before)
    path.go_dark(0.0)
    assert not path.clear_since(before)
    assert not path.clear_since(monotonic())
    assert path.clear_since(monotonic() + AFTERMATH)
    path.go_dark(60.0)
    assert not path.clear_since(monotonic() + AFTERMATH)
    path.mend()
    assert path.clear_since(monotonic() + AFTERMATH)
