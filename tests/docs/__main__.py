"""`python -m tests.docs`: write what is generated in `docs/`."""

from __future__ import annotations

import sys

from tests.docs import rfc_map

__all__ = ["main"]


def main() -> int:
    """Write the map of the RFCs."""
    rfc_map.PATH.parent.mkdir(exist_ok=True)
    rfc_map.PATH.write_text(rfc_map.render(), encoding="utf-8")
    print(f"wrote {rfc_map.PATH}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
