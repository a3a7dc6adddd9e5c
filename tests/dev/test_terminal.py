from __future__ import annotations

import io

import pytest

from gateway.dev.terminal import Terminal, wants_color


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_color(Screen())
    assert not wants_color(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert wants_color(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_color(Screen())


def test_access_line_is_shown_shorter(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.server_line("2026-11-22T16:58:44+00:00 GET /a?b=1 200 12 0.042 [-]")
    terminal.server_line("2026/11/22 16:58:44 [error] 1#1: *1 something")
    out, err = capsys.readouterr()
    assert out == "16:58:44 GET /a?b=1 200 42 ms\n"
    assert err == "2026/11/22 16:58:44 [error] 1#1: *1 something\n"


@pytest.mark.parametrize(
    ("upstreams", "location", "shown"),
    [
        ("[-]", " /static/", "  /static/"),
        ("[unix:/tmp/x y/app.sock]", " /", "  / -> app"),
        ("[127.0.0.1:3000]", "", "  -> 127.0.0.1:3000"),
        ("[[::1]:3000, 127.0.0.1:3000]", " ~ ^/a b$", "  ~ ^/a b$ -> [::1]:3000, 127.0.0.1:3000"),
        ("[unix:/x, unix:/x : 127.0.0.1:1]", " @up", "  @up -> app, app, 127.0.0.1:1"),
        ("[-]", " the server itself", "  the server itself"),
    ],
)
def test_where_it_was_answered(
    capsys: pytest.CaptureFixture[str], upstreams: str, location: str, shown: str
) -> None:
    terminal = Terminal()
    terminal.unicode = False
    terminal.server_line(f"2026-11-22T16:58:44+00:00 GET /a [b] 502 12 0.042 {upstreams}{location}")
    assert capsys.readouterr().out == f"16:58:44 GET /a [b] 502 42 ms{shown}\n"


def test_a_screen_is_cleared_and_a_file_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for screen, wanted in ((Screen(), "\x1b[2J\x1b[3J\x1b[H\n"), (io.StringIO(), "")):
        monkeypatch.setattr("sys.stdout", screen)
        Terminal().clear()
        assert screen.getvalue() == wanted
