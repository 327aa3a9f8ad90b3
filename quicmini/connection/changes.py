"""What has changed in a connection since somebody looked last: for its observer, and only if there is one.

The parts of a connection need not report what they do: they are compared with what they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from quicmini.connection import occurrences as told
from quicmini.connection.core import Core
from quicmini.connection.handshake import Handshake
from quicmini.connection.occurrences import CongestionState, Metrics, Phase
from quicmini.connection.spaces import LEVELS
from quicmini.connection.state import ConnectionState
from quicmini.crypto.keys import EncryptionLevel
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import PacketType
from quicmini.wire.transport_parameters import parse_transport_parameters

__all__ = ["Changes"]

_ENDS = {
    ConnectionState.CLOSING: Phase.CLOSING,
    ConnectionState.DRAINING: Phase.DRAINING,
    ConnectionState.TERMINATED: Phase.CLOSED,
}

Keys = frozenset[tuple[EncryptionLevel, bool]]


class Changes:
    """Remembers what was told, and tells what is different.

    own_cid: the Destination Connection ID of the newest packet of the peer; whoever reads packets sets it.
    """

    __slots__ = (
        "_cids",
        "_congestion",
        "_core",
        "_ecn",
        "_ended",
        "_handshake",
        "_keys",
        "_local_parameters",
        "_metrics",
        "_mtu",
        "_negotiated",
        "_path",
        "_path_count",
        "_peer_parameters",
        "_phase",
        "_recovers_until",
        "_remembered_parameters",
        "_tell",
        "_updates",
        "_version",
        "own_cid",
    )

    def __init__(self, core: Core, handshake: Handshake, tell: Callable[[object], None]) -> None:
        self._core = core
        self._handshake = handshake
        self._tell = tell
        self._version: int | None = None
        self._negotiated = False
        self._local_parameters = b""
        self._peer_parameters = False
        self._remembered_parameters = False
        self._keys: Keys = frozenset()
        self._updates = 0
        self._phase = Phase.ATTEMPTED
        self._path = core.path
        self._path_count = 0
        self.own_cid = core.local_cids.handshake_cid
        self._cids = {True: self.own_cid, False: core.remote_cids.current}
        self._mtu = core.path.max_datagram_size
        self._ecn = core.ecn.state
        self._metrics: Metrics | None = None
        self._congestion: CongestionState | None = None
        self._recovers_until = 0  # the first packet number after the last congestion event
        self._ended = False
        tell(told.ConnectionStarted(core.path.remote, core.path.local, self.own_cid, core.remote_cids.current))
        self.look()

    def look(self, *, by_peer: bool = False) -> None:
        """Tell what is new. by_peer: a packet of the peer has caused it."""
        self._look_at_handshake()
        self._look_at_keys(by_peer)
        self._look_at_path()
        self._look_at_recovery()
        self._look_at_phase()

    def _look_at_handshake(self) -> None:
        core, result = self._core, self._handshake.result
        if core.version != self._version:
            self._version = core.version
            self._tell(told.VersionChosen(core.version, core.versions.available))
        if core.local_parameters != self._local_parameters:
            self._local_parameters = core.local_parameters
            parameters = parse_transport_parameters(core.local_parameters, from_client=core.is_client)
            self._tell(told.ParametersSet(True, parameters))
        early = core.early
        if core.is_client and early is not None and early.remembered is not None and not self._remembered_parameters:
            self._remembered_parameters = True
            self._tell(told.ParametersRestored(early.remembered))
        if core.peer_parameters is not None and not self._peer_parameters:
            self._peer_parameters = True
            self._tell(told.ParametersSet(False, core.peer_parameters))
        if result is not None and not self._negotiated:
            self._negotiated = True
            protocol, suite = result.alpn_protocol, result.cipher_suite.name
            self._tell(told.ApplicationProtocolChosen(protocol, suite, result.resumed))

    def _look_at_keys(self, by_peer: bool) -> None:
        keys, before = self._present_keys(), self._keys
        if keys != before:
            self._keys = keys
            for level, sending in sorted(keys ^ before):
                self._tell(told.KeysChanged(level, sending, (level, sending) in keys))
        while self._updates < self._core.key_phases.updates:
            self._updates += 1
            self._tell(told.KeysUpdated(self._updates, by_peer))

    def _present_keys(self) -> Keys:
        """(level, for sending) of all that are there."""
        core, present = self._core, []
        for space in core.spaces:
            if space.sealer is not None:
                early = space.packet_type is PacketType.ZERO_RTT
                present.append((EncryptionLevel.ZERO_RTT if early else LEVELS[space.number], True))
            if space.opener is not None:
                present.append((LEVELS[space.number], False))
        if core.early is not None and core.early.opener is not None and core.now < core.early.read_until:
            present.append((EncryptionLevel.ZERO_RTT, False))
        return frozenset(present)

    def _look_at_path(self) -> None:
        core, path = self._core, self._core.path
        if path is not self._path:
            self._path = path
            self._path_count += 1
            self._tell(told.PathChanged(self._path_count, path.remote, path.local))
        for own, cid in (True, self.own_cid), (False, core.remote_cids.current):
            if cid != self._cids[own]:
                self._tell(told.ConnectionIdChanged(own, self._cids[own], cid))
                self._cids[own] = cid
        if path.max_datagram_size != self._mtu:
            self._tell(told.MtuChanged(self._mtu, path.max_datagram_size))
            self._mtu = path.max_datagram_size
        if core.ecn.state is not self._ecn:
            self._tell(told.EcnChanged(self._ecn, core.ecn.state))
            self._ecn = core.ecn.state

    def _look_at_recovery(self) -> None:
        recovery = self._core.recovery
        rtt, congestion = recovery.rtt, recovery.congestion
        measured, threshold = rtt.first_sample_at is not None, congestion.slow_start_threshold
        metrics = Metrics(
            min_rtt=rtt.minimum if measured else None,
            smoothed_rtt=rtt.smoothed,
            latest_rtt=rtt.latest if measured else None,
            rtt_variance=rtt.variation,
            pto_count=recovery.pto_count,
            congestion_window=congestion.window,
            bytes_in_flight=congestion.bytes_in_flight,
            ssthresh=None if threshold == math.inf else int(threshold),
        )
        before, self._metrics = self._metrics, metrics
        if metrics != before:
            self._tell(told.MetricsChanged(before, metrics))
            self._look_at_congestion(metrics, before)

    def _look_at_congestion(self, metrics: Metrics, before: Metrics | None) -> None:
        space = self._core.spaces[PacketNumberSpace.APPLICATION]
        threshold = metrics.ssthresh
        if before is not None and threshold != before.ssthresh:
            self._recovers_until = space.next_packet_number
        if threshold is None or metrics.congestion_window < threshold:
            state = CongestionState.SLOW_START
        elif self._core.recovery.spaces[space.number].largest_acked < self._recovers_until:
            state = CongestionState.RECOVERY
        else:
            state = CongestionState.CONGESTION_AVOIDANCE
        if state is not self._congestion:
            self._tell(told.CongestionChanged(self._congestion, state))
            self._congestion = state

    def _look_at_phase(self) -> None:
        error, phase = self._core.lifecycle.error, self._present_phase()
        if error is not None and not self._ended:
            self._ended = True
            self._tell(told.Ended(error))
        if phase is not self._phase:
            self._tell(told.PhaseChanged(self._phase, phase))
            self._phase = phase

    def _present_phase(self) -> Phase:
        core, handshake = self._core, self._handshake
        if not core.lifecycle.alive:
            return _ENDS[core.lifecycle.state]
        if handshake.complete:
            return Phase.CONFIRMED if handshake.confirmed else Phase.COMPLETE
        started = core.spaces[PacketNumberSpace.HANDSHAKE].sealer is not None
        return Phase.STARTED if started else Phase.ATTEMPTED
