"""The manual page and the completions: made of the definitions, kept in packaging/, and read by the real programs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli.help import HELP
from gateway.dev import manual
from gateway.dev.verbs import NGINX_OPTIONS, OWN_OPTIONS, VERBS

KEPT = Path(__file__).parents[2] / "packaging"


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("gateway.8", manual.page),
        ("gateway.bash", manual.bash),
        ("_gateway", manual.zsh),
        ("gateway.fish", manual.fish),
    ],
)
def test_what_is_kept_is_what_is_made(file: str, made: object) -> None:
    """Else: `python -m gateway.dev.manual --write`."""
    assert (KEPT / file).read_text() == made()  # type: ignore[operator]


def test_every_option_of_every_verb_is_there() -> None:
    page = manual.page().replace("\\-", "-")
    for name in VERBS:
        for option in manual.options(manual.parser(name)):
            for flag in option.flags:
                assert flag in page
                assert flag in manual.bash()
                assert flag in manual.zsh()
                assert flag.lstrip("-") in manual.fish()


def test_what_the_command_line_takes_is_in_all_of_them() -> None:
    """--help, the manual page and the completions are made of one table; it has all that is taken."""
    source = (Path(manual.__file__).parents[1] / "cli" / "__init__.py").read_text()
    taken = {word.partition("=")[0] for word in re.findall(r'"(--[a-z]+[=a-z]*)"', source)}
    assert taken == {name for name, _, _ in OWN_OPTIONS}
    page = manual.page().replace("\\-", "-")
    own = [name for name, _, _ in OWN_OPTIONS] + [value for _, takes, _ in OWN_OPTIONS for value in takes.split("|")]
    words = [*(letters for letters, _, _ in NGINX_OPTIONS), *own, *VERBS, "start", "help"]
    for text in (page, manual.bash(), manual.zsh()):
        assert [word for word in words if word not in text] == []
    assert [word for word in words if word.lstrip("-") not in manual.fish()] == []
    assert [word for word in own if word not in HELP and word not in ("--help", "--version")] == []
    assert [name for name, entry in VERBS.items() if entry.what not in HELP] == []


def test_ours_are_offered_beside_nginxs() -> None:
    assert _bash("gateway -T --an") == ["--anonymize", "--anonymize=names"]
    assert _bash("gateway --wa") == ["--watch"]
    assert _bash("gateway --color a") == ["auto", "always"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is missing")
def test_the_page_is_read_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z"], input=manual.page(), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def _bash(line: str) -> list[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    script = (
        f"{manual.bash()}\nCOMP_WORDS=({' '.join(repr(word) for word in words)})\nCOMP_CWORD={len(words) - 1}\n"
        '_gateway\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert done.stderr == ""
    return done.stdout.split()


def test_bash() -> None:
    assert _bash("gateway ru") == ["run"]
    assert _bash("gateway run --stat") == ["--static"]
    assert _bash("gateway -s re") == ["reopen", "reload"]
    assert _bash("gateway completion f") == ["fish"]
    assert "explain" in _bash("gateway help ex")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is missing")
def test_zsh() -> None:
    subprocess.run(["zsh", "-n", str(KEPT / "_gateway")], check=True)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is missing")
def test_fish() -> None:
    done = subprocess.run(
        ["fish", "-c", f"source {KEPT}/gateway.fish; complete -C 'gateway serve --sp'"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("--spa")


def test_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert manual.man([]) == 0
    assert capsys.readouterr().out == manual.page()
    assert manual.completion(["fish"]) == 0
    assert capsys.readouterr().out == manual.fish()
    with pytest.raises(SystemExit):
        manual.completion(["tcsh"])
