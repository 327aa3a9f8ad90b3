"""Commands of documents are found, run, and compared with what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import Command, commands, differences, execute, furnish

PAGE = """
Text

```console
$ echo one
one
$ echo two \\
> three
two three

```

```console exits 3
$ exit 3
```

```console roughly
$ date
Sunday
```

```python
$ no command
```
"""


def test_commands_are_found() -> None:
    assert list(commands(PAGE)) == [
        Command(4, "echo one", ["one"]),
        Command(4, "echo two \\\nthree", ["two three", ""]),
        Command(13, "exit 3", [], status=3),
        Command(17, "date", ["Sunday"], roughly=True),
    ]


def test_output_of_no_command_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: output of no command: 'one'"):
        list(commands("```console\none\n```\n"))


def test_commands_run_as_in_a_clone_of_the_project(tmp_path: Path) -> None:
    furnish(tmp_path)
    assert execute(Command(1, "python -m quicmini nothing; test -e README.md", [], 0), tmp_path)[0] == 0
    assert execute(Command(1, "echo x > new; echo failed >&2; exit 3", [], 3), tmp_path) == (3, ["failed"])
    assert (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["a", "b"], ["a", "b"]),
        (["a …", "b"], ["a 17 ms", "b"]),
        (["…: a … c"], ["12:30: a b c"]),
        (["a", "…", "z"], ["a", "b", "c", "z"]),
        (["a", "…", "z"], ["a", "z"]),
        (["…"], []),
        (["…x", "(*)"], ["  x", "(*)"]),
        (["a    b ──▶"], ["a  b ────▶"]),
        (["in 1.5 ms, +17.7"], ["in 1,201.0 ms, +0.1"]),
        (["0011223344556677_client.sqlog"], ["ffeeddccbbaa9988_client.sqlog"]),
        (["to 127.0.0.1:54321, 0011223344556677"], ["to 127.0.0.1:4242, 8899aabbccddeeff"]),
    ],
)
def test_output_that_is_as_shown(shown: list[str], printed: list[str]) -> None:
    assert differences(Command(1, "", shown), printed) == []


@pytest.mark.parametrize(
    ("shown", "printed", "where"),
    [
        (["a", "b"], ["a", "c"], "'b'"),
        (["a"], ["a", "b"], "'(nothing more)'"),
        (["a", "b"], ["a"], "'b'"),
        (["a … c"], ["a b d"], "'a … c'"),
        (["a", "…", "z"], ["a", "b"], "'z'"),
        (["a.c"], ["abc"], "'a.c'"),
        (["a  b"], ["a b"], "'a  b'"),
        (["1.5 ms"], ["15 ms"], "'1.5 ms'"),
        (["RFC 9000 §8.2"], ["RFC 9000 §8.1"], "'RFC 9000 §8.2'"),
        (["TLS 1.3"], ["TLS 1.2"], "'TLS 1.3'"),
        (["127.0.0.1"], ["127.0.0.2"], "'127.0.0.1'"),
        (["12 bytes"], ["13 bytes"], "'12 bytes'"),
    ],
)
def test_output_that_is_not(shown: list[str], printed: list[str], where: str) -> None:
    first, *rest = differences(Command(1, "", shown), printed)
    assert first == f"not printed as shown from here: {where}"
    assert rest == ["printed was:", *printed]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["12 bytes, ACK 0–1, 3–5"], ["1,300 bytes, ACK 0–7, 9–10"]),
        (["  1.5 │─ one ──▶│   12,000"], ["  2.5 │─ one ─────▶│"]),
    ],
)
def test_output_that_is_roughly_as_shown(shown: list[str], printed: list[str]) -> None:
    assert differences(Command(1, "", shown, roughly=True), printed) == []
    assert differences(Command(1, "", shown), printed) != []


def test_words_matter_roughly_as_well() -> None:
    assert differences(Command(1, "", ["│ one │ 1"], roughly=True), ["│ two │ 1"]) != []
    assert differences(Command(1, "", ["1 packet"], roughly=True), ["no packet"]) != []
