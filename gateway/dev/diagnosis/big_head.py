"""The head of an answer does not fit into its buffer: which directive, and what else must grow with it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family

_K: Final = 1024


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), failure.peer


def _text(failure: Failure) -> str:
    conf, family = failure.exchange.conf, failure.family
    got = failure.attempt.received
    wanted = 2 * conf.buffer_size
    while wanted <= got:
        wanted *= 2
    setting = failure.setting(f"{family}_buffer_size", f"{conf.buffer_size // _K}k")
    text = (
        f"{setting} holds the head of an answer, and {got} bytes came without its end (many or long Set-Cookie "
        f"fields?): write {family}_buffer_size {wanted // _K}k;"
    )
    count, each = conf.buffers
    if 2 * wanted > (count - 1) * each:  # *_busy_buffers_size is twice the larger of both, unless it is set
        text += f" and {family}_buffers {count} {wanted // _K}k;"
    return text


FAMILY: Final = Family((b"upstream sent too big header",), _key, _text)
