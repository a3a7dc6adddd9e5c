"""errors: an error reads as nginx writes it."""

from __future__ import annotations

from gateway.config.errors import ConfigError, Note, Where


def test_text() -> None:
    where = Where("/etc/x.conf", 7, 3)
    assert str(ConfigError('unknown directive "x"', where)) == 'unknown directive "x" in /etc/x.conf:7'
    assert str(ConfigError("no file")) == "no file"
    assert str(ConfigError("x", Where("", 0))) == "x in command line"


def test_what_it_carries() -> None:
    error = ConfigError("x", level="crit", notes=(Note("why"),))
    assert (error.level, error.where, error.notes[0].text) == ("crit", None, "why")


def test_first_line_is_where_the_words_begin() -> None:
    assert Where("x", 7, 3).first_line == 7
    assert Where("x", 7, 3, 5).first_line == 5
