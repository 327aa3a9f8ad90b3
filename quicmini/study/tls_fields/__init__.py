"""TLS handshake messages and QUIC transport parameters, field by field.

Whatever the bytes are, nothing is raised: what cannot be read becomes a field "unreadable", which says why and where.
"""

from quicmini.study.tls_fields.messages import dissect_message
from quicmini.study.tls_fields.parameters import dissect_transport_parameters

__all__ = ["dissect_message", "dissect_transport_parameters"]
