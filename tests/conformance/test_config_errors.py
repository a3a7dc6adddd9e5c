"""The first line of each error of the configuration is nginx's own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.errors import ConfigError
from gateway.config.parser import Statement, parse
from gateway.config.text import to_bytes, to_str
from tests.config.cases import BAD, GOOD, first_error

NGINX = shutil.which("nginx")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

# What nginx 1.22 says otherwise than the nginx that gateway follows.
KNOWN_DIFFERENCES: dict[str, str] = {}


def nginx_says(path: Path, tmp_path: Path) -> str:
    """Run nginx -t and give its first complaint, without the program's name."""
    command = [str(NGINX), "-t", "-e", str(tmp_path / "error.log"), "-c", str(path), "-g", f"pid {tmp_path}/pid;"]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    # A message may quote words of several lines; nginx's last line says that the test failed.
    found = re.search(r"nginx: (\[(?:emerg|crit)\] .*?)\nnginx: ", to_str(done.stderr), re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_first_line(path: Path, tmp_path: Path) -> None:
    if path.stem in KNOWN_DIFFERENCES:
        pytest.skip(KNOWN_DIFFERENCES[path.stem])
    error = first_error(path)
    assert error is not None
    assert f"[{error.level}] {error}" == nginx_says(path, tmp_path)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_ones_are_read_to_the_end(path: Path, tmp_path: Path) -> None:
    """These hold words that mean nothing to nginx, but none that it could not read."""
    said = nginx_says(path, tmp_path)
    assert "unexpected" not in said and "too long" not in said and "open()" not in said


WORDS = st.lists(
    st.sampled_from(
        ["a", "t", "n", " ", "\n", "\t", ";", "{", "}", "#", "\\", '"', "'", "$", "${", ")", "x" * 1500, "é"]
    ),
    min_size=1,
    max_size=14,
).map("".join)


def complaint(statements: list[Statement], level: int = 0) -> str:
    """Say what nginx finds in a text that is tried at the top level or as parameters of listen."""
    for statement in statements:
        name, args, block = statement.name, statement.args, statement.block
        message = ""
        if name == "listen" and level == 2:
            if block is not None:
                message = 'directive "listen" is not terminated by ";"'
            elif len(args) > 1:
                message = f'invalid parameter "{args[1]}"'
        elif name in ("events", "http", "server"):
            if found := complaint(block or [], level + 1):
                return found
        else:
            message = f'unknown directive "{name}"'
        if message:
            return str(ConfigError(message, statement.where))
    return ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WORDS, inside=st.booleans())
def test_any_text_is_read_as_nginx_reads_it(text: str, inside: bool, tmp_path: Path) -> None:
    path = tmp_path / "any.conf"
    data = f"events {{}} http {{ server {{ listen 1 {text}\n; }} }}" if inside else text
    path.write_bytes(to_bytes(data))
    source = parse(data, str(path))
    try:
        ours = complaint(source.statements)
    except ConfigError as error:
        ours = str(error)
    theirs = nginx_says(path, tmp_path).removeprefix("[emerg] ")
    # What nginx finds beyond the words, once it has read them all.
    if ours or not theirs.startswith(("bind()", "no ")):
        # A longer line of its log is cut.
        assert to_bytes(ours)[:900] == to_bytes(theirs)[:900]
