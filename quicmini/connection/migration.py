"""Which path a connection takes: probing others, following the peer, moving on purpose (RFC 9000 §8.2, §9).

Only a client moves, on its own account or because a NAT on the way gives it another address. The server follows the
packets, proves with a PATH_CHALLENGE that the client is really there, and goes back if it is not.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from quicmini.connection.core import Core
from quicmini.connection.events import PathChanged, PathClosed, PathFailed
from quicmini.connection.handshake import Handshake
from quicmini.connection.paths import Path, PathValidation
from quicmini.connection.state import Address
from quicmini.errors import MigrationError, TransportError, TransportErrorCode
from quicmini.recovery.rtt import RttEstimator
from quicmini.wire.frames import PathChallenge, PathResponse, Ping

__all__ = [
    "LOST_TIMEOUTS",
    "MAX_PATHS",
    "MAX_REMEMBERED_CHALLENGES",
    "RENEWAL_PAUSE",
    "Migration",
    "PathPacket",
]

# Paths that are known at the same time: the one in use, the one to go back to, and two that are probed. RFC 9000 §5.1.1
# lets an endpoint limit the paths; each needs a connection ID of its own.
MAX_PATHS = 4

# PATH_CHALLENGE frames whose answers are recognised; what comes later than that is ignored (RFC 9000 §8.2.3).
MAX_REMEMBERED_CHALLENGES = 32

# Probe timeouts until a validation has failed (RFC 9000 §8.2.4), and until a path that is not used any more is closed:
# packets may still be under way there.
VALIDATION_TIME = 3
LINGER_TIME = 3

# How long a server keeps a path that the client has only probed.
PROBED_TIME = 30

# The same for a path that is in use already, and has yet to show that it carries large datagrams: giving it up ends the
# connection.
MTU_VALIDATION_TIME = 60

# And for one that the client wants to move to: four challenges, so that losses do not keep it where it is.
MOVING_TIME = 10

# Probe timeouts in a row after which a client suspects that the server lacks the connection ID to follow it.
LOST_TIMEOUTS = 2

# Probe timeouts between two times that a client gives out other IDs unasked: a server may take it for an attack if more
# of them are to be retired than it has heard to have arrived (RFC 9000 §5.1.2), and its RETIREs are lost like all else.
RENEWAL_PAUSE = 10

# Bytes of a datagram with a PATH_CHALLENGE or PATH_RESPONSE, if §8.1 permits it (RFC 9000 §8.2.1, §8.2.2).
PROBE_SIZE = 1200

_ping_frame = Ping().encode


class PathPacket(NamedTuple):
    """What is to be sent on a path: probing frames, in a datagram of at least `size` bytes."""

    path: Path
    cid: bytes
    frames: bytes
    size: int


class _Challenge(NamedTuple):
    data: bytes
    path: Path
    full_size: bool  # else it proves the address, but not that the path carries 1200 bytes


class Migration:
    """All paths of a connection; `Core.path` is the one in use.

    arrival: the path of the datagrams that are being processed. pending: there may be something to send on some path.
    deadline: when to call `on_timer`.
    """

    __slots__ = (
        "_challenges",
        "_core",
        "_doubtful",
        "_fallback",
        "_first_remote",
        "_handshake",
        "_known",
        "_renew_from",
        "_target",
        "arrival",
        "deadline",
        "pending",
    )

    def __init__(self, core: Core, handshake: Handshake) -> None:
        self._core = core
        self._handshake = handshake
        self._known = [core.path]
        self._challenges: deque[_Challenge] = deque(maxlen=MAX_REMEMBERED_CHALLENGES)
        self._fallback: Path | None = None  # the last validated path, while the one in use is not
        self._doubtful: Path | None = None  # a server's: the last one on which nobody has answered
        self._target: Path | None = None  # a client's: where it will move if it can
        self._first_remote = core.path.remote
        self._renew_from = 0.0  # when a client may give out other IDs once more
        self.arrival = core.path
        self.pending = False
        self.deadline: float | None = None
        core.path.own_cid = core.local_cids.handshake_cid

    # What arrives

    @property
    def remote_addresses(self) -> list[Address]:
        """Where the peer may send from."""
        return [path.remote for path in self._known]

    def path_of(self, remote: Address, local: object, own_cid: bytes) -> Path | None:
        """The path of a datagram that did not come on the one in use; None if it has to be dropped.

        RFC 9000 §9: a server does not move, and a client not before the handshake is confirmed.
        """
        for path in self._known:
            if path.remote == remote and path.local == local:
                return path
        if self._core.is_client or not self._handshake.confirmed:
            return None
        return Path(remote, self._core.datagram_size, validated=False, local=local, own_cid=own_cid)

    def on_unvalidated(self, now: float) -> None:
        """Datagrams have come on the path in use, to which not everything may be sent yet (RFC 9000 §8.1)."""
        self._core.recovery.at_amplification_limit = False
        if self._handshake.confirmed:
            self.pending = True  # until then there is nothing but the handshake
            if self._core.path.validation is None:
                self._validate(self._core.path, now)  # the last attempt has failed, and there was no going back
                self._plan()

    def on_packet(self, path: Path, size: int, *, moves: bool, now: float) -> None:
        """A packet has been opened in a datagram that did not come on the path in use, or on one not yet `followed`.

        moves: it has a non-probing frame, and the largest number so far (RFC 9000 §9.3).
        """
        if not self._core.lifecycle.alive:
            return
        path.bytes_received += size
        self.pending = True
        if path not in self._known:
            self._make_room()
            self._known.append(path)
        if self._core.is_client and path is self._core.path and moves:
            self._on_followed(path, now)
        if self._core.is_client or path is self._core.path:
            return
        if path.validation is None and not path.validated:
            self._validate(path, now)
        if not moves:
            pass
        elif path.validated or path.local == self._core.path.local:
            self._move(path, now)
        else:
            # Somebody who has only copied a packet to the preferred address must not move anything (RFC 9000 §9.6.2).
            path.wanted = True
        self._plan()

    def _on_followed(self, path: Path, now: float) -> None:
        """The server sends to the client's new address: nothing will come on older paths but what is under way."""
        path.followed = True
        for other in self._known:
            if other.drop_at is not None:
                other.drop_at = max(other.drop_at, now + LINGER_TIME * self._core.recovery.pto_base())
        self._plan()

    def on_challenge(self, frame: PathChallenge) -> None:
        """The answer goes where the challenge came from (RFC 9000 §8.2.2)."""
        self.arrival.on_challenge(frame)
        self.pending = True

    def on_response(self, frame: PathResponse, now: float) -> None:
        """On whichever path it comes, it validates the one that the challenge was sent on (RFC 9000 §8.2.3)."""
        for challenge in self._challenges:
            if challenge.data == frame.data:
                if challenge.path in self._known and challenge.path.validation is not None:
                    self._on_validated(challenge.path, challenge.full_size, now)
                    self._plan()
                return
        if len(self._challenges) < MAX_REMEMBERED_CHALLENGES:  # nothing was forgotten
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "an answer to no PATH_CHALLENGE", 0x1B)

    # What is sent

    def packets(self, overhead: int) -> list[PathPacket]:
        """What is to be sent now, one packet for each path. overhead: bytes of a packet besides its ID and frames."""
        self.pending = False
        found = []
        for path in self._known:
            cid = self._cid_of(path) if path.waits else None
            if cid is None:
                continue
            allowance = path.allowance()
            size = PROBE_SIZE if allowance is None else min(PROBE_SIZE, allowance)
            room = size - overhead - len(cid)
            frames = path.take_responses(room)
            challenge = self._core.random(8)
            challenges = path.take_challenge(challenge, room - sum(map(len, frames)))
            if challenges:
                self._challenges.append(_Challenge(challenge, path, size == PROBE_SIZE))
                frames += challenges
            if frames and path is self._core.path and sum(map(len, frames)) < room:
                # Not only a probe, so that a copy of a packet does not lead the peer away for long (RFC 9000 §9.3.3).
                frames.append(_ping_frame())
            if frames:
                found.append(PathPacket(path, cid, b"".join(frames), size))
        return found

    def _cid_of(self, path: Path) -> bytes | None:
        cids = self._core.remote_cids
        if path is self._core.path:
            return cids.current
        cid = None if path.cid_number is None else cids.cid(path.cid_number)
        if cid is None:
            path.cid_number = cids.take()
            cid = None if path.cid_number is None else cids.cid(path.cid_number)
        return cid

    # Time

    def on_timer(self, now: float) -> None:
        """Send challenges again, give up on paths that do not answer, forget those that are not used any more."""
        if self.deadline is None or now < self.deadline:
            return
        for path in list(self._known):
            if path.validation is not None:
                path.validation.on_timer(now)
                self.pending = self.pending or path.validation.wants_challenge
                if now >= path.validation.expires:
                    self._on_failed(path, now)
        if self._core.path.validated:
            for path in list(self._known):
                if self._is_left(path) and path.drop_at is not None and now >= path.drop_at:
                    self._drop(path)
        self._plan()

    def on_timeouts(self, count: int, now: float) -> None:
        """So many probe timeouts in a row. A server that has used up the client's IDs for addresses where it did not
        find it cannot follow (RFC 9000 §9.5), nor say that it needs others: it gets them unasked. And a client that
        nobody hears may be where the server looked for it in vain, and was unlucky.
        """
        core, doubtful = self._core, self._doubtful
        if count < LOST_TIMEOUTS or not self._handshake.confirmed:
            return
        if core.is_client and now >= self._renew_from:
            self._renew_from = now + RENEWAL_PAUSE * core.recovery.pto_base()
            core.local_cids.rotate()
        elif doubtful is not None and doubtful.validation is None:
            doubtful.wanted = True
            self._validate(doubtful, now)
            self._plan()

    def _plan(self) -> None:
        deadlines = [path.validation.deadline for path in self._known if path.validation is not None]
        if self._core.path.validated:
            deadlines += [path.drop_at for path in self._known if path.drop_at is not None and self._is_left(path)]
        self.deadline = min(deadlines, default=None)

    def _validate(self, path: Path, now: float, probe_timeouts: int = VALIDATION_TIME) -> None:
        """RFC 9000 §8.2.1, §8.2.4: the new path may be slower than the old one."""
        recovery = self._core.recovery
        known_pto = recovery.pto_base()
        new_pto = RttEstimator(recovery.initial_rtt).probe_interval + recovery.max_ack_delay
        interval = known_pto if _same_host(path, self._core.path) else new_pto
        path.validation = PathValidation(now, interval, probe_timeouts * max(known_pto, new_pto))
        self.pending = True

    def _on_validated(self, path: Path, full_size: bool, now: float) -> None:
        path.validated = True
        path.validation = None
        if not full_size:  # the address is the peer's, but does the path carry 1200 bytes? (RFC 9000 §8.2.1)
            self._validate(path, now, MTU_VALIDATION_TIME)
        core = self._core
        if path is core.path:
            core.recovery.at_amplification_limit = False
            core.ecn.on_new_path()
            self._fallback = None
            self._handshake.offer_token()  # RFC 9000 §9.3
        elif path is self._target or path.wanted:
            path.wanted, self._target = False, None
            self._move(path, now)
            if core.is_client:
                core.streams.control.request(_ping_frame)  # the server follows what is no probe
            else:
                self._handshake.offer_token()
        elif path.drop_at is None:  # the client may want to move there, but not for ever
            path.drop_at = now + PROBED_TIME * core.recovery.pto_base()

    def _on_failed(self, path: Path, now: float) -> None:
        """Nobody has answered there (RFC 9000 §8.2.4)."""
        path.validation = None
        core, fallback = self._core, self._fallback
        if path is self._target:
            self._target = None
            core.events.append(PathFailed(path.local, path.remote))
            self._drop(path)
        elif path is core.path and not core.is_client:
            if fallback is not None:
                path.validated = False
                self._move(fallback, now)
            elif path.validated:
                reason = "the path does not carry datagrams of 1200 bytes"
                core.close(TransportError(TransportErrorCode.NO_VIABLE_PATH, reason), now)
        elif path is not core.path and path is not fallback:
            self._give_up(path)

    # Moving

    def start(self, local: object, remote: Address | None, now: float) -> None:
        """Client: find out whether the server can be reached from another socket, and at another address; then move.

        Raises MigrationError if it may not be (RFC 9000 §9, §9.5).
        """
        core = self._core
        if not core.is_client:
            raise MigrationError("only a client can migrate")
        if not self._handshake.confirmed:
            raise MigrationError("the handshake is not confirmed yet")
        if core.peer_parameters is None or (
            core.peer_parameters.disable_active_migration and (remote or core.path.remote) == self._first_remote
        ):
            raise MigrationError("the server does not support migration")
        if not core.remote_cids.current:
            raise MigrationError("the server's connection IDs have zero length: anyone could follow the move")
        self.cancel()
        path = Path(remote or core.path.remote, core.datagram_size, validated=True, local=local)
        if self._cid_of(path) is None and not self._drop_left_paths():
            raise MigrationError("the server has provided no connection ID for another path")
        self._make_room()
        self._known.append(path)
        self._target = path
        self._validate(path, now, MOVING_TIME)
        self._plan()

    @property
    def moving(self) -> bool:
        """Whether it is still open if the client can move."""
        return self._target is not None

    def cancel(self) -> None:
        """Client: stay here after all."""
        target, self._target = self._target, None
        if target is not None:
            self._drop(target)
            self._plan()

    def _move(self, path: Path, now: float) -> None:
        """Make this the path in use (RFC 9000 §9.3, §9.4, §9.5)."""
        core = self._core
        old, cids = core.path, core.remote_cids
        cid = self._cid_of(path)
        if cid is None and path.own_cid != old.own_cid:
            return  # the peer has moved on purpose, and wants nobody to see that it has (§9.5)
        old.cid_number = cids.current_number
        if cid is not None and path.cid_number is not None:
            cids.use(path.cid_number)
        self._change_measures(old, path)
        if path is self._fallback:
            path.validation = None
        if path is self._doubtful:
            self._doubtful = None
        path.drop_at = None
        path.followed = not core.is_client
        core.path = path
        self._leave(old, now)
        if path.validated:
            self._fallback = None
        core.events.append(PathChanged(path.local, path.remote))

    def _change_measures(self, old: Path, new: Path) -> None:
        """Nothing is known of a new path; but one that differs in its port is most likely the old one (§9.4)."""
        recovery = self._core.recovery
        unknown = recovery.measures if _same_host(old, new) else recovery.new_path(new.max_datagram_size)
        old.measures = recovery.change_path(new.measures or unknown)
        recovery.set_max_datagram_size(new.max_datagram_size)
        recovery.at_amplification_limit = False
        self._core.ecn.on_new_path(validated=new.validated)
        self._core.mtu.on_new_path(new, self._core.now)

    def _leave(self, old: Path, now: float) -> None:
        """The old path is what there is to go back to, if it was validated, while packets may still come from it."""
        core = self._core
        old.wanted = False
        if not old.validated:
            self._give_up(old)
            return
        old.drop_at = now + LINGER_TIME * core.recovery.pto_base()
        if core.is_client and old.followed:  # the server is there, and not any more where it was before
            for other in self._known:
                other.followed = other is old
        if not core.is_client:
            self._fallback = old
            self._validate(old, now)  # if somebody led us astray, packets go there again (§9.3.3)

    def _give_up(self, path: Path | None) -> None:
        """The client may still be there, although nobody has answered: the last such path keeps its connection ID.

        Without one the server could not try again; and to ask for another, it would have to know where the client is.
        """
        if not self._core.is_client:
            path, self._doubtful = self._doubtful, path
        if path is not None and path in self._known and path is not self._doubtful:
            self._drop(path)

    def _drop_left_paths(self) -> bool:
        """For each ID that is retired the server will provide another; whether there are any."""
        left = [path for path in self._known if path.drop_at is not None and not self._is_needed(path)]
        for path in left:
            self._drop(path)
        return bool(left)

    def on_new_cid(self) -> None:
        """A path may have been waiting for it."""
        self.pending = self.pending or any(path.waits for path in self._known)

    def _make_room(self) -> None:
        if len(self._known) >= MAX_PATHS:
            keep = (self._core.path, self._fallback, self._target)
            self._drop(next(path for path in self._known if path not in keep and not self._is_needed(path)))

    def _is_left(self, path: Path) -> bool:
        """Whether nobody cares for it any more, and only packets that are under way may still come."""
        return path.drop_at is not None and path.validation is None and not self._is_needed(path)

    def _is_needed(self, path: Path) -> bool:
        """A client's: the server is still there, and can only be helped to follow if it is heard."""
        return path.followed and not self._core.path.followed

    def _drop(self, path: Path) -> None:
        """Forget a path, and the peer's ID with it (RFC 9000 §5.1.2)."""
        self._known.remove(path)
        if path.cid_number is not None:
            self._core.remote_cids.give_up(path.cid_number)
        if path is self._fallback:
            self._fallback = None
        self._core.events.append(PathClosed(path.local, path.remote))


def _same_host(one: Path, other: Path) -> bool:
    """Whether only the port differs, as when a NAT has forgotten which one it had given out (RFC 9000 §9.4)."""
    return one.local == other.local and one.remote[0] == other.remote[0]
