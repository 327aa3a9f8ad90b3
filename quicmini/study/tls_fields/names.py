"""What the numbers of TLS are called: more of them than this project speaks, since peers offer all sorts of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quicmini.crypto.keys import CIPHER_SUITES

__all__ = [
    "MESSAGES",
    "cipher_suite",
    "group",
    "name_in",
    "signature_scheme",
    "tls_version",
]

# Handshake messages (RFC 9846 §4, §B.3): name and section.
MESSAGES = {
    1: ("ClientHello", "RFC 9846 §4.2.2"),
    2: ("ServerHello", "RFC 9846 §4.2.3"),
    4: ("NewSessionTicket", "RFC 9846 §4.7.1"),
    5: ("EndOfEarlyData", "RFC 9846 §4.6"),
    8: ("EncryptedExtensions", "RFC 9846 §4.4.1"),
    11: ("Certificate", "RFC 9846 §4.5.1"),
    13: ("CertificateRequest", "RFC 9846 §4.4.2"),
    15: ("CertificateVerify", "RFC 9846 §4.5.2"),
    20: ("Finished", "RFC 9846 §4.5.3"),
    24: ("KeyUpdate", "RFC 9846 §4.7.3"),
    25: ("CompressedCertificate", "RFC 8879 §4"),
    254: ("message_hash", "RFC 9846 §4.1"),
}

_TLS_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


_CIPHER_SUITES = {
    **{code: suite.name for code, suite in CIPHER_SUITES.items()},
    0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
    0x1304: "TLS_AES_128_CCM_SHA256",
    0x1305: "TLS_AES_128_CCM_8_SHA256",
    0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    0xC02F: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    0xC030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}

# RFC 9846 §4.3.7; draft-ietf-tls-ecdhe-mlkem.
_GROUPS = {
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x001D: "x25519",
    0x001E: "x448",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x6399: "X25519Kyber768Draft00",
}

# RFC 9846 §4.3.3.
_SIGNATURE_SCHEMES = {
    0x0201: "rsa_pkcs1_sha1",
    0x0203: "ecdsa_sha1",
    0x0401: "rsa_pkcs1_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
}


def is_grease(code: int) -> bool:
    """Whether the 16-bit number is one of those that mean nothing, and keep others used to the unknown (RFC 8701)."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def name_in(table: Mapping[int, str], digits: int = 4) -> Callable[[int], str]:
    """Shows a number with its name, if it has one."""

    def show(code: int) -> str:
        name = table.get(code) or ("GREASE" if digits == 4 and is_grease(code) else None)
        number = f"{code:#0{digits + 2}x}"
        return f"{name} ({number})" if name else number

    return show


cipher_suite = name_in(_CIPHER_SUITES)
group = name_in(_GROUPS)
signature_scheme = name_in(_SIGNATURE_SCHEMES)
tls_version = name_in(_TLS_VERSIONS)
