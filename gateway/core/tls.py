"""TLS at run time: what failed on a connection, and how grave that is.

Loaded by what uses TLS alone.
"""

from __future__ import annotations

from typing import Final

from gateway._fast.errors import TlsFailure

# OpenSSL's reasons (SSL_R_…) that any client can bring about, by a mistake or on purpose, and no reasons of ours; the
# rest is worth an administrator's look. From 1000 on they are alerts that the peer sent.
# fmt: off
_ORDINARY_REASONS: Final = frozenset((
    101,  # no suitable key share
    102,  # bad alert
    103,  # bad change cipher spec
    108,  # bad key share
    110,  # bad extension
    111,  # bad digest length
    112,  # missing sigalgs extension
    115,  # bad packet length
    118,  # no suitable signature algorithm
    122,  # bad key update
    129,  # block cipher pad is wrong
    133,  # ccs received early
    137,  # decode error
    145,  # data between ccs and finished
    146,  # data length too long
    149,  # digest check failed
    150,  # encrypted length too long
    151,  # error in received cipher list
    152,  # excessive message size
    154,  # got a fin before a ccs
    155,  # https proxy request
    156,  # http request
    159,  # length mismatch
    160,  # length too short
    182,  # no renegotiation, no ciphers passed
    183,  # no ciphers specified
    186,  # bad cipher
    187,  # no compression specified
    193,  # no shared cipher
    198,  # packet length too long
    205,  # invalid alert
    213,  # record length mismatch
    220,  # too many warning alerts
    226,  # clienthello tlsext
    227,  # parse tlsext
    234,  # callback failed, tls rsa encrypted value length is wrong
    235,  # no application protocol
    244,  # unexpected message
    245,  # unexpected record
    246,  # unknown alert type
    252,  # unknown protocol
    253,  # no common signature algorithms
    256,  # invalid compression list
    258,  # unsupported protocol, missing key share
    266,  # no shared group
    267,  # wrong version number
    270,  # too much skipped early data
    271,  # bad length
    281,  # decryption failed or bad record mac
    291,  # application data after close notify
    292,  # bad legacy version
    293,  # mixed handshake and non handshake data
    298,  # record too small
    300,  # ssl3 session id too long
    306,  # bad ecpoint
    313,  # record layer failure
    335, 336, 337, 338, 345,  # renegotiation
    373,  # inappropriate fallback
    376,  # no shared signature algorithms
    377,  # cert cb error
    396,  # version too low
    409,  # too many warn alerts
    443,  # bad record type
))
# fmt: on
_ALERTS: Final = range(1000, 1256)


def is_ordinary(failure: OSError) -> bool:
    """Whether such a failure is everyday: at `info` for clients, `error` for upstreams; else it is `crit`."""
    if not isinstance(failure, TlsFailure) or failure.left:
        return True
    return failure.reason in _ORDINARY_REASONS or failure.reason in _ALERTS


def words_of(failure: OSError) -> tuple[bytes, OSError | None]:
    """What to log of a handshake that failed, and the socket's own error, if that is the reason."""
    if isinstance(failure, TlsFailure):
        return failure.words, OSError(failure.errno, "") if failure.errno else None
    return b"peer closed connection in SSL handshake", failure
