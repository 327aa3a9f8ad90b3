"""What a receiver must check (RFC 9000, RFC 9001): one test for each row of the list, E01 to E87.

The rows stand in `receiver_checks`, sorted by what they are about; this is where they run. The attacker's packets
authenticate; the victim closes with the right code, and the attacker is told. A rule that binds both roles is tried on
both. RFC 9000 §11 lets PROTOCOL_VIOLATION stand for a more specific code; here it never does.
"""

from __future__ import annotations

from tests.connection.receiver_checks import early, frames, parameters, paths, tls

for _module in (frames, paths, parameters, early, tls):
    globals().update({name: item for name, item in vars(_module).items() if not name.startswith("_")})
