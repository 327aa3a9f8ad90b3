"""One person's part in a chat, whatever happens to the connection: what all faces are made on."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable

from chat.client import commands, sleep
from chat.client.backoff import BackOff
from chat.client.conversation import LOBBY, Conversation
from chat.client.events import Ended, Event, Refused, State
from chat.client.keeper import Keeper
from chat.client.network import Network, SystemNetwork
from chat.client.wire import Dial, Wire
from chat.message import Kind

__all__ = ["Session"]

LAST_WORDS = 1.0  # seconds: who says goodbye and goes wants it to be heard
ECHO_TIMEOUT = 2.0  # seconds without one's own message coming back, or an answer, after which nobody waits for more


class Session:
    """Someone's conversation with the server that `dial` leads to.

    events: called with each event, from the session's threads, one at a time and in order; while it blocks, nothing
    more is received, so that whoever it waits for must not call `command` or `say`. The last event is `Ended`.
    patience: seconds for which it tries to come back when the connection was lost; None: for ever.
    Any thread may use it. It is over with `leave`.
    """

    def __init__(
        self,
        dial: Dial,
        nickname: str,
        events: Callable[[Event], None],
        *,
        room: str = LOBBY,
        password: str = "",
        patience: float | None = None,
        network: Network | None = None,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = sleep.clock,
    ) -> None:
        self.quiet = False  # whether the person wants no bell, and not to know who comes and goes
        self._tell = events
        self._changed = threading.Condition()
        self._conversation = Conversation(nickname, room, session=secrets.token_hex(8), password=password)
        self._keeper = Keeper(
            self._conversation,
            self._changed,
            events,
            dial=dial,
            network=network or SystemNetwork(),
            backoff=BackOff(chance),
            patience=patience,
            clock=clock,
        )

    # What is known

    @property
    def nickname(self) -> str:
        """As the server has granted it."""
        return self._conversation.nickname

    @property
    def room(self) -> str:
        """Where what is said is heard; "" in `simpleproto`."""
        return self._conversation.room

    @property
    def names(self) -> tuple[str, ...]:
        """Who is there, as the server said when it was last asked (Kind.WHO)."""
        return self._conversation.names

    @property
    def dialect(self) -> str:
        """The `chat.message.Dialect` of the present connection, or of the last one."""
        return self._conversation.dialect

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._keeper.state

    @property
    def over(self) -> bool:
        """Whether nothing that is said now would be heard."""
        return self._keeper.over

    @property
    def unconfirmed(self) -> int:
        """How many messages wait for the server to confirm them."""
        return self._conversation.unconfirmed

    @property
    def wire(self) -> Wire | None:
        """The present connection, or the last one; None: there was none yet."""
        return self._keeper.wire

    # What a person does

    def start(self) -> None:
        """Connect, and stay connected. Does not block: events tell what comes of it."""
        threading.Thread(target=self._run, name="chat session", daemon=True).start()

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "", *, block: bool = True) -> bool:
        """Say something, now or as soon as there is a connection; False, after a `Refused`, if that cannot be.

        Blocks while too much is unconfirmed, unless `block` is false. kind: a `chat.message.Kind`; MSG has a recipient.
        """
        with self._changed:
            if block:
                self._changed.wait_for(lambda: not self._conversation.full or self._keeper.over)
            try:
                self._conversation.say(text, kind, recipient)
            except (ValueError, OverflowError) as error:
                refused = Refused(str(error), kind, said=text)
            else:
                self._changed.notify_all()
                return True
        self.tell(refused)
        return False

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> None:
        """Ask the server for something: a `chat.message.Kind` from JOIN to HISTORY. Does not block.

        Raises ValueError if this server cannot be asked.
        """
        self._keeper.emit(lambda: self._conversation.ask(kind, nickname=nickname, room=room))

    def command(self, line: str) -> None:
        """Do what a typed line asks for: a command if it begins with a slash; otherwise say it. Blocks as `say` does,
        and for /quit as `leave` does."""
        commands.run(self, line)

    def tell(self, event: Event) -> None:
        """Hand an event of the client's own making to the face."""
        self._keeper.emit(lambda: [event])

    def finish(self) -> None:
        """Leave when the server has confirmed everything, has sent it back to be shown, and has answered what it was
        asked. Blocks."""
        with self._changed:
            self._keeper.finishing = True
            self._changed.wait_for(lambda: not self._conversation.unconfirmed or self._keeper.over)
            while self._conversation.awaited and not self._keeper.over and self._heard_something():
                pass
        self.leave()

    def _heard_something(self) -> bool:
        before = self._conversation.awaited
        return self._changed.wait_for(lambda: self._conversation.awaited < before or self._keeper.over, ECHO_TIMEOUT)

    def leave(self) -> None:
        """Say no more, and go. Blocks: while it is connected, for LAST_WORDS seconds at most until what was said is
        confirmed; then until the server has acknowledged the end, or is gone."""
        with self._changed:
            self._changed.wait_for(self._has_said_all, LAST_WORDS)
        self._keeper.leave()

    def _has_said_all(self) -> bool:
        return not self._conversation.unconfirmed or self.state is not State.CONNECTED or self._keeper.over

    def _run(self) -> None:
        self.tell(Ended(self._keeper.run()))
