"""What is asked: URLs and fields from the command line."""

from __future__ import annotations

import pytest

from gateway.dev.explain.question import MOST_MADE_UP, BadQuestion, ask


@pytest.mark.parametrize(
    ("url", "authority", "target", "scheme"),
    [
        ("http://a.example/x?y=1", "a.example", "/x?y=1", "http"),
        ("http://a.example", "a.example", "/", "http"),
        ("https://a.example:8443/", "a.example:8443", "/", "https"),
        ("https://a.example:443/", "a.example", "/", "https"),
        ("http://[::1]:8080/a", "[::1]:8080", "/a", "http"),
        ("a.example/b#fragment", "a.example", "/b", "http"),
        ("http://a.example/q?", "a.example", "/q?", "http"),
        ("/only/a/path", "localhost", "/only/a/path", "http"),
        ("http://user@a.example/", "a.example", "/", "http"),
    ],
)
def test_urls(url: str, authority: str, target: str, scheme: str) -> None:
    question = ask([url], [], "127.0.0.1")
    assert (question.authority, question.target, question.scheme) == (authority, target, scheme)


@pytest.mark.parametrize(
    ("words", "fields", "client", "says"),
    [
        ([], [], "127.0.0.1", "a URL is wanted"),
        (["get", "/"], [], "127.0.0.1", "capitals"),
        (["ftp://a/"], [], "127.0.0.1", "no URL of http or https"),
        (["http:///x"], [], "127.0.0.1", "names no host"),
        (["http://a:port/"], [], "127.0.0.1", "is no URL"),
        (["http://a/b c"], [], "127.0.0.1", "a space"),
        (["/"], ["no colon"], "127.0.0.1", "-H wants"),
        (["/"], ["A: b\r\nC: d"], "127.0.0.1", "-H wants"),
        (["/"], [], "nobody", "--from wants an IP address"),
    ],
)
def test_what_is_none(words: list[str], fields: list[str], client: str, says: str) -> None:
    with pytest.raises(BadQuestion, match=says):
        ask(words, fields, client)


def test_http3_is_spoken_over_tls_alone() -> None:
    assert ask(["/x"], [], "127.0.0.1", http="3").url == "https://localhost/x"
    assert ask(["a.example:8443/x"], [], "127.0.0.1", http="3").url == "https://a.example:8443/x"
    with pytest.raises(BadQuestion, match='"http://a/" is no URL of https'):
        ask(["http://a/"], [], "127.0.0.1", http="3")


def test_fields_of_the_command_line_take_the_place_of_usual_ones() -> None:
    head = ask(["/"], ["host: other", "Accept: text/html"], "127.0.0.1").head()
    assert b"\r\nhost: other\r\n" in head
    assert b"Host:" not in head
    assert head.count(b"Accept:") == 1


def body(*fields: str, data: str = "") -> bytes:
    return b"".join(ask(["POST", "/"], list(fields), "127.0.0.1", data).body())


def test_data_is_a_form_that_is_posted() -> None:
    question = ask(["/"], [], "127.0.0.1", "a=é")
    assert question.head().startswith(b"POST / HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 4\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" in question.head()
    assert b"".join(question.body()) == "a=é".encode()


def test_a_body_that_is_declared_comes() -> None:
    assert body("Content-Length: 12") == b"0" * 12
    assert body("Content-Length: 200000") == b"0" * 200_000
    assert body("content-length: 5", data="abc") == b"abc00"
    assert body("Content-Length: ²") == b""
    assert len(body("Content-Length: 999999999999")) == MOST_MADE_UP
    assert body("Transfer-Encoding: chunked") == b"0\r\n\r\n"
    assert body("Transfer-Encoding: Chunked", data="abc") == b"3\r\nabc\r\n0\r\n\r\n"


def test_a_body_that_is_cut() -> None:
    assert not ask(["POST", "/"], ["Content-Length: 16777216"], "127.0.0.1").cut
    assert ask(["POST", "/"], ["Content-Length: 16777217"], "127.0.0.1").cut
    assert not ask(["POST", "/"], ["Content-Length: 17000000"], "127.0.0.1", "x" * 17_000_000).cut
    assert not ask(["POST", "/"], ["Content-Length: " + "9" * 40], "127.0.0.1").cut  # the server refuses it


def test_a_word_alone_is_neither_a_host_nor_a_path() -> None:
    for word in ("login", "GET"):
        with pytest.raises(BadQuestion, match=f"a path begins with a slash, /{word}; a host ends with one, {word}/"):
            ask([word], [], "127.0.0.1")
    assert ask(["web/"], [], "127.0.0.1").host == "web"
    assert ask(["localhost"], [], "127.0.0.1").host == "localhost"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/a b", r"write it as %20"),
        ("/a\nb", r"write it as %20 or %0A"),
        ("http://a b/", r"is no host"),
        ("http://a:b/", r"its port is no number"),
        ("http://a:99999/", r"its port is no number from 1 to 65535"),
    ],
)
def test_what_no_request_line_can_have(url: str, why: str) -> None:
    with pytest.raises(BadQuestion, match=why):
        ask([url], [], "127.0.0.1")
