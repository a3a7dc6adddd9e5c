from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from gateway.config.errors import LateError, Where
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.exchange.next_upstream import Condition


@dataclass(slots=True)
class Conf(UpstreamConf):
    prefix: ClassVar[str] = "uwsgi"


def merged(outer: Conf | None = None, **settings: object) -> Conf:
    conf = Conf()
    for name, value in settings.items():
        setattr(conf, name, value)
    conf.merge(outer)
    return conf


def test_defaults() -> None:
    conf = merged()
    assert (conf.connect_timeout, conf.read_timeout, conf.send_timeout) == (60, 60, 60)
    assert conf.buffers == (8, 4096) and conf.buffer_size == 4096 and conf.busy == 8192
    assert conf.temp_file_write == 8192 and conf.max_temp_file_size == 1 << 30
    assert conf.next_upstream == Condition.ERROR | Condition.TIMEOUT
    assert b"x-accel-redirect" in conf.hidden and conf.local is None


def test_sizes_follow_the_buffers_of_this_block() -> None:
    outer = merged()
    assert merged(outer, buffers=(4, 16384)).busy == 32768
    assert merged(merged(busy_buffers_size=12288), buffers=(4, 8192)).busy == 12288


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"buffers": (1, 8192)}, 'there must be at least 2 "uwsgi_buffers"'),
        ({"busy_buffers_size": 1}, '"uwsgi_busy_buffers_size" must be equal to or greater than the maximum'),
        ({"buffers": (2, 4096)}, '"uwsgi_busy_buffers_size" must be less than the size of all "uwsgi_buffers"'),
        ({"temp_file_write_size": 1}, '"uwsgi_temp_file_write_size" must be equal to or greater than'),
        ({"max_temp_file_size": 1}, '"uwsgi_max_temp_file_size" must be equal to zero to disable'),
    ],
)
def test_sizes_that_do_not_fit(settings: dict[str, Any], words: str) -> None:
    (name,) = settings
    with pytest.raises(LateError) as caught:
        merged(merged(), **settings, places={name: Where("a.conf", 3)})
    assert words in str(caught.value) and [str(note.where) for note in caught.value.notes] == ["a.conf:3"]
    merged(None, **settings)  # what stands in http alone, without a server


def test_hidden_fields() -> None:
    outer = merged(hide_headers=(b"X-One", b"X-Two"))
    inner = merged(outer, pass_headers=(b"x-two", b"X-Accel-Expires"))
    assert b"x-one" in inner.hidden and b"x-two" not in inner.hidden and b"x-accel-expires" not in inner.hidden
    assert b"x-two" in outer.hidden
    assert merged(outer, hide_headers=(b"X-Three",)).hidden >= {b"x-three"}
    assert b"x-one" not in merged(outer, hide_headers=(b"X-Three",)).hidden


def test_off_stands_alone() -> None:
    assert merged(next_upstream=Condition.OFF | Condition.ERROR).next_upstream == Condition.OFF


def test_places_are_inherited() -> None:
    outer = merged(read_timeout=5.0, places={"read_timeout": Where("a.conf", 3)})
    inner = merged(outer, send_timeout=5.0, places={"send_timeout": Where("a.conf", 9)})
    assert {name: place.line for name, place in inner.places.items()} == {"read_timeout": 3, "send_timeout": 9}
