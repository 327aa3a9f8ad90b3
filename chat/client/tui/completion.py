"""What Tab makes of a beginning: nicknames, commands, rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from chat.client.commands import COMMANDS
from chat.client.tui.model import Model
from chat.text import name_key, printable

__all__ = ["ChatCompleter"]


class ChatCompleter(Completer):
    """Completes from what the model knows: who is there or has spoken, and the rooms that were seen."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        before = document.text_before_cursor
        word = before.rpartition(" ")[2].rpartition("\n")[2]
        if before.startswith("/") and word == before:
            yield from self._commands(word)
        elif before.startswith("/join ") and before.count(" ") == 1:
            yield from (Completion(room, -len(word)) for room in _matching(word, sorted(self._model.rooms)))
        elif before.startswith("/msg ") and before.count(" ") == 1:
            for name in _matching(word.lstrip('"'), self._names()):
                yield Completion(f'"{name}" ' if " " in name else f"{name} ", -len(word), display=printable(name))
        elif word:
            behind = ": " if word == before else " "
            for name in _matching(word.removeprefix("@"), self._names()):
                yield Completion(f"{name}{behind}", -len(word.removeprefix("@")), display=printable(name))

    def _commands(self, word: str) -> Iterator[Completion]:
        for name, command in COMMANDS.items():
            if name.startswith(word[1:].lower()):
                text = f"/{name} " if command.usage else f"/{name}"
                yield Completion(text, -len(word), display=f"/{name} {command.usage}", display_meta=command.help)

    def _names(self) -> Iterator[str]:
        """Who has spoken last comes first; never this person."""
        names = [*reversed(self._model.speakers), *self._model.status.names]
        keys = {name_key(self._model.nickname)}
        for name in names:
            if name_key(name) not in keys:
                keys.add(name_key(name))
                yield name


def _matching(beginning: str, names: Iterable[str]) -> Iterator[str]:
    key = name_key(beginning)
    return (name for name in names if name_key(name).startswith(key))
