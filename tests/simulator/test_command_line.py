from __future__ import annotations

import pytest

from tests.simulator.__main__ import parser


@pytest.mark.parametrize("count", ["0", "-1"])
def test_no_runs_at_all_are_no_success(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--family", "any", "--seeds", count])
    assert "must be 1 or more" in capsys.readouterr().err
