"""Key exchange groups (RFC 9846 §4.3.8.2, §7.4.2; X25519MLKEM768: draft-ietf-tls-ecdhe-mlkem).

Private keys are made from the randomness that is handed in, but for the library's own when it encapsulates (ML-KEM).

A client `offer`s a share and later learns the secret from the server's; a server answers a client's share with
`respond`. The two roles are kept apart because a key encapsulation mechanism answers with something else than a
public key of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
except ImportError:  # an older version of the library
    _HAS_ML_KEM = False
else:
    try:
        MLKEM768PrivateKey.from_seed_bytes(bytes(64))
        _HAS_ML_KEM = True
    except UnsupportedAlgorithm:  # an older OpenSSL beneath it
        _HAS_ML_KEM = False

from quicmini.errors import HandshakeError, crypto_error
from quicmini.tls.codes import Alert, NamedGroup

__all__ = ["GROUPS", "OPTIONAL_GROUPS", "Group", "KeyShare", "Random"]

Random = Callable[[int], bytes]


class PrivateKey(Protocol):
    """One side's key of an elliptic curve group."""

    def public_bytes(self) -> bytes: ...

    def exchange(self, peer: bytes) -> bytes: ...


def _bad_share(group: NamedGroup) -> HandshakeError:
    return crypto_error(Alert.ILLEGAL_PARAMETER, f"the peer's {group.name} key share is not valid")


class _X25519:
    __slots__ = ("_private_key",)

    def __init__(self, random: Random) -> None:
        self._private_key = X25519PrivateKey.from_private_bytes(random(32))

    def public_bytes(self) -> bytes:
        return self._private_key.public_key().public_bytes_raw()

    def exchange(self, peer: bytes) -> bytes:
        try:
            # It raises for an all-zero result too, as RFC 9846 §7.4.2 asks.
            return self._private_key.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise _bad_share(NamedGroup.X25519) from None


class _NistCurve:
    """P-256 or P-384: `order` is the number of points."""

    __slots__ = ("_curve", "_group", "_private_key", "_size")

    def __init__(self, group: NamedGroup, curve: ec.EllipticCurve, order: int, random: Random) -> None:
        self._group, self._curve, self._size = group, curve, curve.key_size // 8
        # 64 bits more than the order has make the bias of the remainder negligible (FIPS 186-5 §A.2.1).
        scalar = int.from_bytes(random(self._size + 8)) % (order - 1) + 1
        self._private_key = ec.derive_private_key(scalar, curve)

    def public_bytes(self) -> bytes:
        return self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, peer: bytes) -> bytes:
        # The library would take a compressed point too; TLS 1.3 has a single form (RFC 9846 §4.3.8.2).
        if len(peer) != 1 + 2 * self._size or peer[0] != 4:
            raise _bad_share(self._group)
        try:
            return self._private_key.exchange(
                ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer)
            )
        except ValueError:
            raise _bad_share(self._group) from None


# The orders of the groups' base points (NIST SP 800-186 §3.2.1.3, §3.2.1.4).
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)


def _p256(random: Random) -> PrivateKey:
    return _NistCurve(NamedGroup.SECP256R1, ec.SECP256R1(), P256_ORDER, random)


def _p384(random: Random) -> PrivateKey:
    return _NistCurve(NamedGroup.SECP384R1, ec.SECP384R1(), P384_ORDER, random)


class Secret(Protocol):
    """What a client keeps of a share: it leads to the shared secret, with what the server answers."""

    def exchange(self, peer: bytes) -> bytes: ...


class KeyShare(NamedTuple):
    """What a client offered in a group: `public` goes on the wire."""

    group: int
    public: bytes
    private: Secret

    def shared_secret(self, server_share: bytes) -> bytes:
        """The secret that the server's share leads to; illegal_parameter if the share is not valid."""
        return self.private.exchange(server_share)


class Group(Protocol):
    """A key exchange group."""

    @property
    def code(self) -> NamedGroup: ...

    def offer(self, random: Random) -> KeyShare:
        """A fresh share for a ClientHello."""

    def respond(self, client_share: bytes, random: Random) -> tuple[bytes, bytes]:
        """The server's share and the shared secret; illegal_parameter if the client's share is not valid."""


class _Curve(NamedTuple):
    """Diffie-Hellman: both sides send a public key."""

    code: NamedGroup
    make_key: Callable[[Random], PrivateKey]

    def offer(self, random: Random) -> KeyShare:
        private_key = self.make_key(random)
        return KeyShare(self.code, private_key.public_bytes(), private_key)

    def respond(self, client_share: bytes, random: Random) -> tuple[bytes, bytes]:
        private_key = self.make_key(random)
        return private_key.public_bytes(), private_key.exchange(client_share)


# Bytes of ML-KEM-768: an encapsulation key and a ciphertext (FIPS 203 §8); an X25519 public key follows on the wire.
_ML_KEM_KEY_SIZE = 1184
_ML_KEM_CIPHERTEXT_SIZE = 1088
_X25519_SIZE = 32


class _HybridSecret(NamedTuple):
    """The client's keys of X25519MLKEM768."""

    ml_kem: MLKEM768PrivateKey
    x25519: _X25519

    def exchange(self, peer: bytes) -> bytes:
        if len(peer) != _ML_KEM_CIPHERTEXT_SIZE + _X25519_SIZE:
            raise _bad_share(NamedGroup.X25519MLKEM768)
        secret = self.ml_kem.decapsulate(peer[:_ML_KEM_CIPHERTEXT_SIZE])
        return secret + self.x25519.exchange(peer[_ML_KEM_CIPHERTEXT_SIZE:])


class _X25519MlKem768(NamedTuple):
    """ML-KEM-768 and X25519 side by side: who wants to know the secret has to break both."""

    code: NamedGroup = NamedGroup.X25519MLKEM768

    def offer(self, random: Random) -> KeyShare:
        secret = _HybridSecret(MLKEM768PrivateKey.from_seed_bytes(random(64)), _X25519(random))
        public = secret.ml_kem.public_key().public_bytes_raw() + secret.x25519.public_bytes()
        return KeyShare(self.code, public, secret)

    def respond(self, client_share: bytes, random: Random) -> tuple[bytes, bytes]:
        if len(client_share) != _ML_KEM_KEY_SIZE + _X25519_SIZE:
            raise _bad_share(self.code)
        try:
            # It checks the key, as FIPS 203 §7.2 asks.
            public_key = MLKEM768PublicKey.from_public_bytes(client_share[:_ML_KEM_KEY_SIZE])
        except ValueError:
            raise _bad_share(self.code) from None
        secret, ciphertext = public_key.encapsulate()
        x25519 = _X25519(random)
        return ciphertext + x25519.public_bytes(), secret + x25519.exchange(client_share[_ML_KEM_KEY_SIZE:])


# In order of preference.
_ALL: tuple[Group, ...] = (
    *((_X25519MlKem768(),) if _HAS_ML_KEM else ()),
    _Curve(NamedGroup.X25519, _X25519),
    _Curve(NamedGroup.SECP256R1, _p256),
    _Curve(NamedGroup.SECP384R1, _p384),
)
GROUPS: dict[int, Group] = {group.code: group for group in _ALL}

# Groups that an installation may lack, and that many peers do.
OPTIONAL_GROUPS = frozenset({NamedGroup.X25519MLKEM768})
