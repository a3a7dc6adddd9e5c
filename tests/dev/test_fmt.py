"""gateway fmt: the form changes, the meaning does not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import main
from gateway.config.errors import ConfigError
from gateway.dev.fmt import formatted

UGLY = """\
# first
worker_processes   1;   # behind
events{}


http {

  server { listen 80; # the port
location ~ "a b" {return 200 'it is {';}

        # before the end
    }
    log_format x '$a'
       # between the words
       "$b";
   upstream a
   {
     server b
     weight=2
     ;
   }
}
"""

NICE = """\
# first
worker_processes 1;  # behind
events {
}

http {
    server {
        listen 80;  # the port
        location ~ "a b" {
            return 200 'it is {';
        }

        # before the end
    }
    log_format x '$a'
        # between the words
        "$b";
    upstream a {
        server b
            weight=2;
    }
}
"""


def test_the_form() -> None:
    assert formatted(UGLY) == NICE


def test_twice_is_once() -> None:
    assert formatted(NICE) == NICE


@pytest.mark.parametrize("name", ["nginx", "hardened"])
def test_real_files(name: str) -> None:
    text = (Path(__file__).resolve().parents[1] / "data" / "check" / f"{name}.conf").read_text()
    once = formatted(text)
    assert formatted(once) == once


def test_what_nginx_does_not_read_is_left() -> None:
    with pytest.raises(ConfigError, match="unexpected end of file"):
        formatted('a "never closed;\n')


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("events {}\nhttp { server { listen 8080; }\n", 3, 'unexpected end of file, expecting "}"'),
        ("if ($a = ${b) {\n  return 200;\n", 3, 'unexpected end of file, expecting "}"'),
        ("events {}\n}\n", 2, 'unexpected "}"'),
        ("events {\n;\n}\n", 2, 'unexpected ";"'),
        ("{\n}\n", 1, 'unexpected "{"'),
        ("events {\n a b\n}\n", 3, 'unexpected "}"'),
        ("events {}\nuser www\n", 3, 'unexpected end of file, expecting ";" or "}"'),
    ],
)
@pytest.mark.parametrize("form", [[], ["--write"], ["--check"], ["--diff"]])
def test_braces_that_do_not_fit(
    text: str, line: int, words: str, form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    assert main(["fmt", *form, str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"gateway fmt: {words} in {file}:{line}\n")
    assert file.read_text() == text


def test_the_block_that_is_open_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text("events {}\nhttp {\nserver {\n}\n")
    assert main(["fmt", str(file)]) == 1
    assert f'  {file}:2: this "http" block is not closed\n' in capsys.readouterr().err


_WORD = st.sampled_from(["a", '"b c"', "'d;'", "$x", "${y}z", "\\;", "e{f", '"#"', "g#h", "~*", "\\{"])
_ENDING = st.sampled_from([";", "{", "}", " # comment\n", "\n", "\n\n", " ", ";\n", "{ ", "} ", ";# c\n"])


@given(st.lists(st.one_of(_WORD, _ENDING), max_size=30))
def test_words_and_comments_stay(pieces: list[str]) -> None:
    """formatted() compares itself, and says Changed if they differ."""
    text = " ".join(pieces)
    try:
        once = formatted(text)
    except ConfigError:
        return
    assert formatted(once) == once


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(UGLY)
    assert main(["fmt", "--check", str(file)]) == 1
    assert main(["fmt", str(file)]) == 0
    assert capsys.readouterr().out == f"{file} is not formatted\n{NICE}"
    assert file.read_text() == UGLY
    assert main(["fmt", "--write", str(file)]) == 0
    assert file.read_text() == NICE
    assert main(["fmt", "--check", str(file)]) == 0
    assert main(["fmt", str(tmp_path / "nothing")]) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("a   b;"))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == "a b;\n"


def test_the_end_of_a_condition_stays_with_what_is_quoted() -> None:
    text = """if ($a = "b") {\n    return 404;\n}\nif ($a = it's' ) {\n}\n"""
    assert formatted(text) == text
    assert formatted("""if ($a ~ 'b' ) {\n}\n""") == """if ($a ~ 'b') {\n}\n"""
