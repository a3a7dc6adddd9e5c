"""lexer: nginx's words, quotes and escapes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config.errors import ConfigError, Where
from gateway.config.lexer import Ending, Lexer, quote
from gateway.config.text import to_bytes, to_str

# The characters that mean something, more often than others.
GRAMMAR = st.lists(
    st.sampled_from(["a", "n", " ", "\n", "\t", "\r", ";", "{", "}", "#", "\\", '"', "'", "$", "${", ")", "é"])
).map("".join)


def words(text: str) -> list[str]:
    reading = Lexer(to_bytes(text), "x.conf").read()
    assert reading.ending is Ending.SEMICOLON
    return [token.text for token in reading.tokens]


@given(st.lists(st.text() | GRAMMAR | st.binary().map(to_str), min_size=1, max_size=5))
@example(["", "\\", '"', "a\\", "${", "}", "#", "x{"])
@example(["\udcff", "\\\\t"])
def test_quoted_words_are_read_as_they_were(texts: list[str]) -> None:
    texts = [to_str(text.encode("utf-8", "replace")) for text in texts]
    assert words(" ".join(quote(text) for text in texts) + ";") == texts


def test_quote_leaves_plain_words_alone() -> None:
    assert quote("/var/www") == "/var/www"
    assert quote("a b") == '"a b"'
    assert quote("") == '""'


@given(GRAMMAR | st.text())
def test_nothing_but_config_errors(text: str) -> None:
    lexer = Lexer(text.encode("utf-8", "replace"), "x.conf")
    try:
        for _ in range(len(text) + 2):
            if lexer.read().ending is Ending.END:
                return
    except ConfigError as error:
        assert error.where is not None
        assert 1 <= error.where.line <= text.count("\n") + 1
        assert error.where.column >= 1
        return
    raise AssertionError("the lexer does not come to an end")


@given(GRAMMAR)
def test_places_are_where_the_words_are(text: str) -> None:
    lexer = Lexer(to_bytes(text), "x.conf")
    lines = text.split("\n")
    try:
        while (reading := lexer.read()).ending is not Ending.END:
            for token in reading.tokens:
                found = lines[token.where.line - 1][token.where.column - 1 :]
                if token.quoted:
                    assert found[0] in "\"'"
                else:
                    assert found[0] == token.text[0] or found[0] == "\\"
    except ConfigError:
        pass


def everything(text: str, file: str, step: str) -> list[tuple[object, ...]]:
    lexer = Lexer(to_bytes(text), file)
    found: list[tuple[object, ...]] = []
    try:
        while not found or found[-1][1] is not Ending.END:
            if step == "next":
                ending = lexer.next()
                found.append((lexer.words, ending, lexer.where))
            else:
                reading = lexer.read()
                found.append(([token.text for token in reading.tokens], reading.ending, reading.where))
    except ConfigError as error:
        found.append((str(error), error.where, error.notes))
    return found


# words, then what ends them: most of it is simple, so that next() takes its short way
LINES = st.lists(
    st.sampled_from(["a", "b c", " ", "\n", "\t", ";", "; ", " {", "}\n", "$x", "\x0b", "\xa0", "\x1c", "é"])
)


@given(GRAMMAR | LINES.map("".join), st.sampled_from(["x.conf", ""]))
@example("a b;" + "c" * 4095 + ";", "x.conf")
@example("a" + " " * 5000 + "b;", "x.conf")
@example("\n a  b\tc ;\n\n } d {", "x.conf")
def test_next_is_read_without_the_tokens(text: str, file: str) -> None:
    assert everything(text, file, "next") == everything(text, file, "read")


def test_where_of_a_directive_of_several_lines() -> None:
    reading = Lexer(b"\n  log_format main\n    'a'\n    'b'\n  ;\n", "x.conf").read()
    # nginx names the line of the semicolon.
    assert reading.where == Where("x.conf", 5, 3, 2)
    assert str(reading.where) == "x.conf:5"
    assert [token.where.line for token in reading.tokens] == [2, 2, 3, 4]


def test_columns_count_characters() -> None:
    first, second = Lexer("grüße 日本;".encode(), "x.conf").read().tokens
    assert (first.where.column, second.where.column) == (1, 7)


def test_text_of_the_command_line() -> None:
    assert Lexer(b"a b;", "").read().tokens[1].text == "b"
    with pytest.raises(ConfigError) as caught:
        Lexer(b"daemon off", "").read()
    assert str(caught.value) == 'unexpected end of parameter, expecting ";" in command line'


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097])
@pytest.mark.parametrize("form", ["{};", "{} ;", '"{}";', '"{}" ;', "#{}\na;", "'{}"])
def test_words_that_do_not_fit_into_nginxs_buffer(size: int, form: str) -> None:
    # The size at which nginx gives up, found by asking it.
    limit = {"{};": 4096, "{} ;": 4095, '"{}";': 4095, '"{}" ;': 4094, "#{}\na;": 4095, "'{}": 4096}[form]
    lexer = Lexer(form.format("x" * size).encode() + b"\n", "x.conf")
    if size < limit:
        try:
            lexer.read()
        except ConfigError as error:
            assert error.message.startswith("unexpected end of file")
    else:
        with pytest.raises(ConfigError, match="too long parameter"):
            lexer.read()


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097, 4500])
@pytest.mark.parametrize("tail", ["", " ", "  ", ";", ";;"])
def test_long_words_at_the_end_of_a_file(size: int, tail: str) -> None:
    """nginx looks whether the file has more when its buffer is full, wherever the word ends. Found by asking it."""
    too_long = size + len(tail) > 4096 and (size > 4095 or tail == "  ")
    with pytest.raises(ConfigError, match="too long parameter" if too_long else "unexpected") as caught:
        reading = Lexer(b"x" * size + tail.encode(), "x.conf").read()
        assert tail.startswith(";") and [len(token.text) for token in reading.tokens] == [size]
        raise ConfigError("unexpected nothing", reading.where)
    assert caught.value.message
