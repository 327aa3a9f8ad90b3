"""What happens on a connection as qlog has it: names and fields of draft-ietf-quic-qlog-quic-events.

The names are those of qlog 0.3, which is what qvis and most other tools read; newer drafts put all of them under
`quic:`. Where the drafts call a field differently, both names are there (`owner`, `initiator`); where they contradict
each other, and qvis does not care, it is as the newest has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quicmini.connection import occurrences as told
from quicmini.connection.ecn import EcnState
from quicmini.connection.occurrences import Metrics, PacketHeader
from quicmini.crypto.keys import EncryptionLevel
from quicmini.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    IdleTimeoutError,
    StatelessResetError,
    TransportError,
    VersionNegotiationError,
)
from quicmini.observe.qlog_frames import (
    TRANSPORT_SPACE,
    Fields,
    error_fields,
    frames_of,
    token_fields,
)
from quicmini.wire.packet import PacketType
from quicmini.wire.transport_parameters import PreferredAddress, TransportParameters

__all__ = ["DROP_TRIGGERS", "Renderer"]

Event = tuple[str, Fields]

_PACKET_TYPES = {
    PacketType.INITIAL: "initial",
    PacketType.ZERO_RTT: "0RTT",
    PacketType.HANDSHAKE: "handshake",
    PacketType.RETRY: "retry",
    PacketType.ONE_RTT: "1RTT",
    PacketType.VERSION_NEGOTIATION: "version_negotiation",
}
_KEY_TYPES = {
    EncryptionLevel.INITIAL: "initial",
    EncryptionLevel.ZERO_RTT: "0rtt",
    EncryptionLevel.HANDSHAKE: "handshake",
    EncryptionLevel.ONE_RTT: "1rtt",
}
_ECN_STATES = {
    EcnState.TESTING: "testing",
    EcnState.UNKNOWN: "unknown",
    EcnState.FAILED: "failed",
    EcnState.CAPABLE: "capable",
}

# By the code's own word for why a packet was dropped.
DROP_TRIGGERS = {
    "malformed header": "invalid",
    "other version": "unsupported",
    "other connection ID": "invalid",
    "other source connection ID": "invalid",
    "a server's token": "invalid",
    "Initial in a small datagram": "invalid",
    "Retry": "rejected",
    "Version Negotiation": "rejected",
    "0-RTT": "rejected",
    "unknown address": "rejected",
    "no keys yet": "key_unavailable",
    "keys discarded": "key_unavailable",
    "undecryptable": "decryption_failure",
    "duplicate": "duplicate",
}

# Why a connection ended, by the kind of error; the first that fits.
_END_TRIGGERS: tuple[tuple[type[ConnectionClosed], str], ...] = (
    (IdleTimeoutError, "idle_timeout"),
    (StatelessResetError, "stateless_reset"),
    (VersionNegotiationError, "version_mismatch"),
    (TransportError, "error"),
    (ConnectionClosedOK, "application"),
    (ApplicationError, "application"),
)

# Transport parameters that are not recorded as they are: bytes, pairs, and what is secret (RFC 9000 §10.3.1).
_CONNECTION_IDS = (
    "original_destination_connection_id",
    "initial_source_connection_id",
    "retry_source_connection_id",
)
# Those that a client remembers, and that the drafts let it tell (draft-ietf-quic-qlog-quic-events §5.4).
_RESTORED = (
    "disable_active_migration",
    "max_idle_timeout",
    "max_udp_payload_size",
    "active_connection_id_limit",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "max_datagram_frame_size",
)
_OTHER_PARAMETERS = (*_CONNECTION_IDS, "stateless_reset_token", "preferred_address", "version_information")


class Renderer:
    """The events of one connection, told of one occurrence after another."""

    def __init__(self, *, is_client: bool) -> None:
        self._is_client = is_client
        self._exponents = {True: 3, False: 3}  # of own and of the peer's ACK delays, until they are announced
        self._cipher_suite: str | None = None

    def render(self, occurrence: Any) -> Event | None:
        """Name and data of its event; None for what has none."""
        render = _RENDER.get(type(occurrence))
        return render(self, occurrence) if render is not None else None

    # Packets

    def _packet_sent(self, packet: told.PacketSent) -> Event:
        frames = frames_of(packet.payload, self._exponents[True])
        data = {"header": _header(packet.header), "raw": {"length": packet.size}, "frames": frames}
        return "transport:packet_sent", data

    def _packet_received(self, packet: told.PacketReceived) -> Event:
        data: Fields = {"header": _header(packet.header), "raw": {"length": packet.size}}
        if packet.versions:
            data["supported_versions"] = [_version(version) for version in packet.versions]
        elif packet.header.packet_type is PacketType.RETRY:
            data["retry_token"] = {"type": "retry", **token_fields(packet.header.token)}
        else:
            data["frames"] = frames_of(packet.payload, self._exponents[False])
        return "transport:packet_received", data

    def _packet_buffered(self, packet: told.PacketBuffered) -> Event:
        data = {"header": _header(packet.header), "raw": {"length": packet.size}, "trigger": "keys_unavailable"}
        return "transport:packet_buffered", data

    def _packet_dropped(self, packet: told.PacketDropped) -> Event:
        header = {"packet_type": "unknown"} if packet.header is None else _header(packet.header)
        data: Fields = {"header": header, "trigger": DROP_TRIGGERS.get(packet.reason, "general")}
        if packet.size:
            data["raw"] = {"length": packet.size}
        data["details"] = {"reason": packet.reason}
        return "transport:packet_dropped", data

    def _packet_lost(self, packet: told.PacketLost) -> Event:
        header = {"packet_type": _PACKET_TYPES[packet.packet_type], "packet_number": packet.packet_number}
        trigger = "time_threshold" if packet.late else "reordering_threshold"
        return "recovery:packet_lost", {"header": header, "trigger": trigger}

    # The handshake

    def _started(self, start: told.ConnectionStarted) -> Event:
        host, port = str(start.remote[0]), start.remote[1]
        ours, theirs = start.local_cid.hex(), start.remote_cid.hex()
        data: Fields = {"ip_version": "v6" if ":" in host else "v4", "protocol": "QUIC"}
        # The core knows its own side's address by a name only.
        data |= {"src_ip": "", "dst_ip": host, "dst_port": port, "src_cid": ours, "dst_cid": theirs}
        data |= {"local": {"connection_ids": [ours]}, "remote": _endpoint(host, port) | {"connection_ids": [theirs]}}
        return "connectivity:connection_started", data

    def _version_chosen(self, choice: told.VersionChosen) -> Event:
        own = "client_versions" if self._is_client else "server_versions"
        data = {own: [_version(version) for version in choice.available], "chosen_version": _version(choice.version)}
        return "transport:version_information", data

    def _protocol_chosen(self, choice: told.ApplicationProtocolChosen) -> Event:
        data: Fields = {"tls_cipher": choice.cipher_suite, "resumed": choice.resumed}
        if choice.protocol is not None:
            data = {"chosen_alpn": {"string_value": choice.protocol}} | data
        return "transport:alpn_information", data

    def _parameters_set(self, event: told.ParametersSet) -> Event:
        parameters = event.parameters
        self._exponents[event.own] = parameters.ack_delay_exponent
        return "transport:parameters_set", {**_whose(event.own), **_parameters(parameters)}

    def _parameters_restored(self, event: told.ParametersRestored) -> Event:
        parameters = _parameters(event.parameters)
        return "transport:parameters_restored", {name: parameters[name] for name in _RESTORED if name in parameters}

    def _keys_changed(self, event: told.KeysChanged) -> Event:
        name = "security:key_updated" if event.available else "security:key_discarded"
        return name, {"key_type": self._key_type(event.level, event.sending), "trigger": "tls"}

    def _keys_updated(self, event: told.KeysUpdated) -> Event:
        """Both directions change at once; that of this side stands for both, as tools count updates by it."""
        trigger = "remote_update" if event.by_peer else "local_update"
        data = {"key_type": self._key_type(EncryptionLevel.ONE_RTT, True), "key_phase": event.key_phase}
        return "security:key_updated", data | {"generation": event.key_phase, "trigger": trigger}

    def _key_type(self, level: EncryptionLevel, sending: bool) -> str:
        return f"{'client' if sending == self._is_client else 'server'}_{_KEY_TYPES[level]}_secret"

    # Connectivity

    def _phase_changed(self, event: told.PhaseChanged) -> Event:
        return "connectivity:connection_state_updated", {"old": event.old.value, "new": event.new.value}

    def _path_changed(self, event: told.PathChanged) -> Event:
        host, port = str(event.remote[0]), event.remote[1]
        data: Fields = {"tuple_id": str(event.number), "tuple_remote": _endpoint(host, port)}
        return "connectivity:tuple_assigned", data

    def _cid_changed(self, event: told.ConnectionIdChanged) -> Event:
        data = {**_whose(event.own), "old": event.old.hex(), "new": event.new.hex()}
        return "connectivity:connection_id_updated", data

    def _mtu_changed(self, event: told.MtuChanged) -> Event:
        return "connectivity:mtu_updated", {"old": event.old, "new": event.new}

    def _ended(self, event: told.Ended) -> Event:
        error = event.error
        trigger = next((word for kind, word in _END_TRIGGERS if isinstance(error, kind)), "unspecified")
        data: Fields = _whose(not error.remote)
        if trigger == "application":
            data |= {"application_error": "unknown", "application_code": error.error_code}
            data["error_code"] = int(error.error_code)
        elif trigger == "error":
            fields = error_fields(error.error_code, TRANSPORT_SPACE)
            data |= {"connection_error": fields["error"], "connection_code": fields["error"]}
            data["error_code"] = int(error.error_code)
        return "connectivity:connection_closed", data | {"reason": error.reason, "trigger": trigger}

    # Recovery

    def _ecn_changed(self, event: told.EcnChanged) -> Event:
        return "recovery:ecn_state_updated", {"old": _ECN_STATES[event.old], "new": _ECN_STATES[event.new]}

    def _metrics_changed(self, event: told.MetricsChanged) -> Event:
        before = {} if event.old is None else _metrics(event.old)
        return "recovery:metrics_updated", {
            name: value for name, value in _metrics(event.new).items() if value != before.get(name)
        }

    def _congestion_changed(self, event: told.CongestionChanged) -> Event:
        old = {} if event.old is None else {"old": event.old.value}
        return "recovery:congestion_state_updated", old | {"new": event.new.value}


def _header(header: PacketHeader) -> Fields:
    fields: Fields = {"packet_type": _PACKET_TYPES[header.packet_type]}
    if header.packet_number is not None:
        fields["packet_number"] = header.packet_number
    if header.key_phase is not None:
        fields["key_phase"] = header.key_phase
    if header.version is not None:
        fields["version"] = _version(header.version)
    for name, cid in ("scid", header.source_cid), ("dcid", header.destination_cid):
        if cid is not None:
            fields[name[:-1] + "l"] = len(cid)
            fields[name] = cid.hex()
    if header.token:
        fields["token"] = token_fields(header.token)
    return fields


def _version(version: int) -> str:
    return f"{version:08x}"


def _whose(own: bool) -> Fields:
    whose = "local" if own else "remote"
    return {"owner": whose, "initiator": whose}


def _endpoint(host: str, port: int) -> Fields:
    version = "v6" if ":" in host else "v4"
    return {f"ip_{version}": host, f"port_{version}": port}


def _parameters(parameters: TransportParameters) -> Fields:
    names = [name for name in TransportParameters.__slots__ if name not in _OTHER_PARAMETERS]
    fields: Fields = {name: getattr(parameters, name) for name in names}
    for name in _CONNECTION_IDS:
        if (cid := getattr(parameters, name)) is not None:
            fields[name] = cid.hex()
    if parameters.preferred_address is not None:
        fields["preferred_address"] = _preferred_address(parameters.preferred_address)
    return fields


def _preferred_address(preferred: PreferredAddress) -> Fields:
    fields: Fields = {}
    for host, port in preferred.addresses:
        fields |= _endpoint(host, port)
    return fields | {"connection_id": preferred.connection_id.hex()}


def _metrics(metrics: Metrics) -> Fields:
    """What is known; times in milliseconds."""
    known = {name: value for name, value in metrics._asdict().items() if value is not None}
    return {name: round(value * 1000, 3) if "rtt" in name else value for name, value in known.items()}


_RENDER: dict[type, Callable[[Renderer, Any], Event]] = {
    told.PacketSent: Renderer._packet_sent,
    told.PacketReceived: Renderer._packet_received,
    told.PacketBuffered: Renderer._packet_buffered,
    told.PacketDropped: Renderer._packet_dropped,
    told.PacketLost: Renderer._packet_lost,
    told.ConnectionStarted: Renderer._started,
    told.VersionChosen: Renderer._version_chosen,
    told.ApplicationProtocolChosen: Renderer._protocol_chosen,
    told.ParametersSet: Renderer._parameters_set,
    told.ParametersRestored: Renderer._parameters_restored,
    told.KeysChanged: Renderer._keys_changed,
    told.KeysUpdated: Renderer._keys_updated,
    told.PhaseChanged: Renderer._phase_changed,
    told.PathChanged: Renderer._path_changed,
    told.ConnectionIdChanged: Renderer._cid_changed,
    told.MtuChanged: Renderer._mtu_changed,
    told.Ended: Renderer._ended,
    told.EcnChanged: Renderer._ecn_changed,
    told.MetricsChanged: Renderer._metrics_changed,
    told.CongestionChanged: Renderer._congestion_changed,
}
