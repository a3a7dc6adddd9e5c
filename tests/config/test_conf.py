"""conf: settings are inherited from the outer block, then have their default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.config.conf import UNSET, Conf, setting


@dataclass
class Settings(Conf):
    plain: Any = setting(1)
    made: Any = setting(factory=list)
    own: Any = setting(None, inherit=False)


def test_unset_is_false_and_only_one() -> None:
    assert not UNSET
    assert type(UNSET)() is UNSET
    assert repr(UNSET) == "UNSET"
    assert Settings().plain is UNSET


def test_defaults_without_an_outer_block() -> None:
    conf = Settings()
    conf.merge(None)
    assert (conf.plain, conf.made, conf.own) == (1, [], None)
    other = Settings()
    other.merge(None)
    assert other.made is not conf.made


def test_what_is_set_stays_and_the_rest_is_inherited() -> None:
    outer = Settings(plain=2, made=[3], own=4)
    inner = Settings(plain=5)
    inner.merge(outer)
    assert (inner.plain, inner.made, inner.own) == (5, [3], None)
    assert inner.made is outer.made


def test_a_nameless_block_inherits_also_what_is_the_locations_own() -> None:
    inner = Settings()
    inner.merge(Settings(plain=2, made=[], own=4), nameless=True)
    assert inner.own == 4


def test_shareable_unless_something_is_the_blocks_own() -> None:
    conf = Settings()
    conf.merge(None)
    assert conf.shareable()
    conf.plain = 7
    assert conf.shareable()
    conf.own = 1
    assert not conf.shareable()
