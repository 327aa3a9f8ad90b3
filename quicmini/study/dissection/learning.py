"""What decrypted packets teach about those that follow: connection IDs, reset tokens, parameters, the ClientHello."""

from __future__ import annotations

from collections.abc import Iterable

from quicmini.errors import QuicError
from quicmini.study.dissection.connections import Candidate, Connections
from quicmini.study.fields import Field
from quicmini.tls.codes import ExtensionType, HandshakeType
from quicmini.tls.messages import HEADER_SIZE, ClientHello, EncryptedExtensions
from quicmini.wire.frames import Crypto, Frame, NewConnectionId
from quicmini.wire.packet import PacketType
from quicmini.wire.transport_parameters import TransportParameters, parse_transport_parameters

__all__ = ["learn"]


def learn(
    connections: Connections, candidate: Candidate, packet_type: PacketType, frames: Iterable[Frame]
) -> tuple[tuple[Field, ...], str]:
    """Take what the frames of a packet say. The TLS messages that are complete with it, and what waits for more."""
    connection, to_server, _ = candidate
    sender = Candidate(connection, not to_server)  # where packets go that are sent to whoever sent this one
    messages: list[Field] = []
    waiting = ""
    for frame in frames:
        if isinstance(frame, NewConnectionId):
            connections.add_cid(sender, frame.connection_id)
            connections.add_reset_token(candidate, frame.stateless_reset_token)
        elif isinstance(frame, Crypto):
            stream = connection.crypto(packet_type, to_server=to_server)
            for message, field in stream.insert(frame.offset, frame.data):
                messages.append(field)
                _learn_message(connections, candidate, message)
            if to_server and packet_type is PacketType.INITIAL and stream.client_random:
                connection.client_hello_seen(stream.client_random)
            waiting = stream.progress
    return tuple(messages), waiting


def _learn_message(connections: Connections, candidate: Candidate, message: bytes) -> None:
    parameters = _transport_parameters(message)
    if parameters is None:
        return
    connection, to_server, _ = candidate
    connection.ack_delay_exponents[to_server] = parameters.ack_delay_exponent
    if parameters.stateless_reset_token:
        connections.add_reset_token(candidate, parameters.stateless_reset_token)
    if parameters.preferred_address:
        connections.add_cid(Candidate(connection, not to_server), parameters.preferred_address.connection_id)
        connections.add_reset_token(candidate, parameters.preferred_address.stateless_reset_token)


def _transport_parameters(message: bytes) -> TransportParameters | None:
    """Those in a ClientHello or in EncryptedExtensions (RFC 9001 §8.2); None: no valid ones there."""
    body = message[HEADER_SIZE:]
    try:
        if message[0] == HandshakeType.CLIENT_HELLO:
            extensions = ClientHello.parse(body).extensions
        elif message[0] == HandshakeType.ENCRYPTED_EXTENSIONS:
            extensions = EncryptedExtensions.parse(body).extensions
        else:
            return None
        data = extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS]
        return parse_transport_parameters(data, from_client=message[0] == HandshakeType.CLIENT_HELLO)
    except (QuicError, KeyError):
        return None  # what is wrong with it shows where the message is taken apart
