"""What the command refuses before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.__main__ import main


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c0.journal").touch()
    with pytest.raises(SystemExit) as ended:
        main(["--keep", str(tmp_path)])
    assert ended.value.code == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence.endswith(f"'{tmp_path}' is not empty; name an empty directory, or one that is to be made")


def test_what_is_no_directory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(["--keep", str(tmp_path / "file")])
    assert ended.value.code == 2
    assert f"cannot use '{tmp_path}/file': File exists" in capsys.readouterr().err
