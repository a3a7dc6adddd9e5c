from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import der


@given(st.binary(max_size=70000))
def test_what_is_written_is_read(body: bytes) -> None:
    whole = der.octets(body)
    each, end = der.read(whole)
    assert (each.tag, each.body, each.whole, end) == (der.OCTETS, body, whole, len(whole))
    assert der.unpem("X", der.pem("X", whole)) == [whole]


@given(st.integers(min_value=0, max_value=2**200))
def test_numbers(value: int) -> None:
    each, _ = der.read(der.integer(value))
    assert int.from_bytes(each.body, "big", signed=True) == value


@given(st.binary(max_size=40))
def test_damage_is_told(data: bytes) -> None:
    try:
        for each in der.parts(data):
            der.read_time(each)
    except der.Malformed:
        pass


def test_object_identifiers() -> None:
    assert der.oid("1.2.840.113549.1.1.11").hex() == "06092a864886f70d01010b"


def test_times() -> None:
    for year in (2026, 2049, 2050, 2100):
        moment = datetime.datetime(year, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
        each, _ = der.read(der.time(moment))
        assert der.read_time(each) == moment
        assert each.tag == (der.UTC_TIME if year < 2050 else der.GENERAL_TIME)
    for tag, text in ((0x04, b"x"), (0x17, b"2611271200Z"), (0x17, b"261327120000Z"), (0x18, b"20261127120000")):
        with pytest.raises(der.Malformed):
            der.read_time(der.read(der.element(tag, text))[0])
    assert der.read_time(der.read(der.element(0x17, b"500101000000Z"))[0]).year == 1950


@pytest.mark.parametrize("text", ["-----BEGIN X-----\nAA", "-----BEGIN X-----\n*\n-----END X-----"])
def test_damaged_pem(text: str) -> None:
    with pytest.raises(der.Malformed):
        der.unpem("X", text)
