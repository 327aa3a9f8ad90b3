from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from chat.client.events import Names, Said
from chat.client.tui.completion import ChatCompleter
from chat.client.tui.model import Model


@pytest.fixture
def model() -> Model:
    model = Model("Zoe", "lobby", ask_names=lambda: None, clock=lambda: 0.0)
    model.show(Names("lobby", ("Ada", "Adam", "Ada Lovelace", "Zoe", "Zoltan")))
    model.show(Said("Adam", "hello"))
    model.rooms |= {"tea", "tennis"}
    return model


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("Ad", ["Adam: ", "Ada: ", "Ada Lovelace: "]),  # who has spoken last comes first
        ("hello aDaM", ["hello Adam "]),
        ("hello @adam", ["hello @Adam "]),
        ("zo", ["Zoltan: "]),  # not oneself
        ("one\nada", ["one\nAdam ", "one\nAda ", "one\nAda Lovelace "]),
        ("", []),
        ("x", []),
        ("/q", ["/quiet", "/quit"]),
        ("/NI", ["/nick "]),
        ("/msg ad", ["/msg Adam ", "/msg Ada ", '/msg "Ada Lovelace" ']),
        ('/msg "ada l', []),
        ('/msg "adam', ["/msg Adam "]),
        ("/msg Adam z", ["/msg Adam Zoltan "]),
        ("/join te", ["/join tea", "/join tennis"]),
        ("/join ", ["/join lobby", "/join tea", "/join tennis"]),
    ],
)
def test_completions(model: Model, text: str, completed: list[str]) -> None:
    document = Document(text, len(text))
    completions = ChatCompleter(model).get_completions(document, CompleteEvent(completion_requested=True))
    assert [text[: len(text) + each.start_position] + each.text for each in completions] == completed


def test_commands_come_with_their_help(model: Model) -> None:
    (nick,) = ChatCompleter(model).get_completions(Document("/ni", 3), CompleteEvent())
    assert (nick.display_text, nick.display_meta_text) == ("/nick NAME", "take another nickname")
