"""The interface: three windows, one above the other, and what the keys do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, get_common_complete_suffix
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import FilterOrBool, completion_is_selected, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    Dimension,
    Float,
    FloatContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    UIContent,
    UIControl,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.styles import Style

from chat.client.tui.cells import elided
from chat.client.tui.completion import ChatCompleter
from chat.client.tui.display import OneByOne
from chat.client.tui.entries import nick_style
from chat.client.tui.model import Model

__all__ = ["Screen"]

ESCAPE_TIMEOUT = 0.1  # seconds in which the rest of a key's sequence comes; if nothing does, the key was Esc
META_TIMEOUT = 0.02  # seconds after that, for a key that Esc makes another one
MAX_INPUT_ROWS = 6
MAX_NICK_SHARE = 3  # of the width, for the nickname before the input: a third

STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "day": "ansibrightblack",
        "notice": "ansibrightblack",
        "unconfirmed": "ansibrightblack italic",
        "error": "ansired",
        "private": "italic",
        "status": "reverse",
        "status.lost": "bold",
    }
)


class Screen:
    """The interface for a model. typed: called with what was typed. All of it is for the thread that runs it."""

    def __init__(
        self,
        model: Model,
        typed: Callable[[str], None],
        *,
        colours: bool = True,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self.model = model
        self._typed = typed
        self._completer = ChatCompleter(model)
        self.buffer = Buffer(
            completer=self._completer, history=InMemoryHistory(), multiline=True, complete_while_typing=False
        )
        self.application: Application[Exception | None] = Application(
            layout=self._layout(),
            key_bindings=self._bindings(),
            style=STYLE,
            color_depth=None if colours else ColorDepth.DEPTH_1_BIT,
            full_screen=True,
            input=input,
            output=output,
        )
        self.application.ttimeoutlen = ESCAPE_TIMEOUT
        self.application.timeoutlen = META_TIMEOUT

    def refresh(self) -> None:
        """Show what has changed, and ring if somebody was mentioned."""
        if self.model.take_bell():
            self.application.output.bell()
        self.application.invalidate()

    def leave(self, result: Exception | None = None) -> None:
        """End the interface; nothing happens if it has ended."""
        if self.application.is_running and not self.application.is_done:
            self.application.exit(result=result)

    def _layout(self) -> Layout:
        typing = Window(
            BufferControl(self.buffer, input_processors=[OneByOne()]),
            height=lambda: Dimension(min=1, max=self._input_rows()),
            wrap_lines=True,
            dont_extend_height=True,
            get_line_prefix=self._prefix,
        )
        windows = HSplit(
            [
                Window(_Messages(self.model), height=Dimension(min=0, weight=1), always_hide_cursor=True),
                Window(FormattedTextControl(self._status), height=1, style="class:status"),
                typing,
            ]
        )
        menu = Float(CompletionsMenu(max_height=8, scroll_offset=1), xcursor=True, ycursor=True)
        return Layout(FloatContainer(windows, [menu]), focused_element=typing)

    def _input_rows(self) -> int:
        return max(1, min(MAX_INPUT_ROWS, self.application.output.get_size().rows // 3))

    def _status(self) -> StyleAndTextTuples:
        width = self.application.output.get_size().columns
        lines = len([line for line in self.buffer.text.splitlines() if line.strip()])
        return [*self.model.status_line(width, lines)]

    def _prefix(self, line: int, wrap: int) -> StyleAndTextTuples:
        if line or wrap:
            return [("", "  ")]
        width = self.application.output.get_size().columns // MAX_NICK_SHARE
        nickname = self.model.nickname
        return [(nick_style(nickname), elided(nickname, width)), ("", "> ")]

    def _complete(self) -> None:
        """As far as there is no doubt; beyond that, show what there is."""
        document = self.buffer.document
        completions = list(self._completer.get_completions(document, CompleteEvent(completion_requested=True)))
        if len(completions) == 1:
            self.buffer.apply_completion(completions[0])
        elif completions:
            self.buffer.insert_text(get_common_complete_suffix(document, completions))
            self.buffer.start_completion()

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        for names, method, condition in _KEYS:
            bindings.add(*names.split(), filter=condition)(partial(method, self))
        return bindings

    # What the keys do

    def _send(self, _event: KeyPressEvent) -> None:
        text = self.buffer.text
        self.model.transcript.follow()
        if text.strip():
            self.buffer.append_to_history()
            self._typed(text)
        self.buffer.reset()

    def _leave(self, _event: KeyPressEvent) -> None:
        self.leave()

    def _delete_or_leave(self, _event: KeyPressEvent) -> None:
        if self.buffer.text:
            self.buffer.delete()
        else:
            self.leave()

    def _delete_before(self, _event: KeyPressEvent) -> None:
        """All lines: prompt_toolkit's own leaves those above the cursor, as when a paste was called up again."""
        self.buffer.delete_before_cursor(self.buffer.cursor_position)

    def _nothing(self, _event: KeyPressEvent) -> None:
        """A key with Alt that means nothing: not an Esc."""

    def _complete_next(self, _event: KeyPressEvent) -> None:
        if self.buffer.complete_state:
            self.buffer.complete_next()
        else:
            self._complete()

    def _take_completion(self, _event: KeyPressEvent) -> None:
        self.buffer.complete_state = None

    def _cancel_completion(self, _event: KeyPressEvent) -> None:
        self.buffer.cancel_completion()

    def _page_up(self, _event: KeyPressEvent) -> None:
        self.model.transcript.scroll_page(-1)

    def _page_down(self, _event: KeyPressEvent) -> None:
        self.model.transcript.scroll_page(1)

    def _row_up(self, _event: KeyPressEvent) -> None:
        self.model.transcript.scroll(-1)

    def _row_down(self, _event: KeyPressEvent) -> None:
        self.model.transcript.scroll(1)

    def _to_start(self, _event: KeyPressEvent) -> None:
        self.model.transcript.scroll_to_start()

    def _to_end(self, _event: KeyPressEvent) -> None:
        self.model.transcript.follow()

    def _suspend(self, event: KeyPressEvent) -> None:
        event.app.suspend_to_background()


# Besides prompt_toolkit's own for editing a line. Of two for the same key the later one goes first, where it applies.
_KEYS: tuple[tuple[str, Callable[[Screen, KeyPressEvent], None], FilterOrBool], ...] = (
    ("enter", Screen._send, True),
    ("enter", Screen._take_completion, completion_is_selected),
    ("escape", Screen._leave, True),
    ("escape", Screen._cancel_completion, has_completions),
    ("escape <any>", Screen._nothing, True),
    ("c-c", Screen._leave, True),
    ("<sigint>", Screen._leave, True),
    ("c-d", Screen._delete_or_leave, True),
    ("c-u", Screen._delete_before, True),
    ("tab", Screen._complete_next, True),
    ("pageup", Screen._page_up, True),
    ("pagedown", Screen._page_down, True),
    ("s-up", Screen._row_up, True),
    ("s-down", Screen._row_down, True),
    ("c-home", Screen._to_start, True),
    ("c-end", Screen._to_end, True),
    ("c-z", Screen._suspend, True),
)


class _Messages(UIControl):
    """The rows of the transcript that are in view, at the bottom of the window."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def create_content(self, width: int, height: int) -> UIContent:
        rows = self._model.rows(width, height)
        padding = height - len(rows)

        def line(index: int) -> StyleAndTextTuples:
            return [*rows[index - padding]] if index >= padding else []

        return UIContent(line, line_count=height, cursor_position=Point(0, 0), show_cursor=False)
