"""1,400 wrong configurations, and some that only look so: gateway says what nginx says, at the same line.

tests/data/config/mistakes.tsv has for each: the place it stands in, its lines, what nginx 1.31 says, and what gateway
says where that differs, which is by decision (`ok`: it accepts what only nginx refuses). `FILE` is the configuration,
`PREFIX` the folder it lies in. What nginx says is compared again where such an nginx is installed.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conformance.reference import NGINX
from tests.conformance.test_directive_values import gateway_says

DATA = Path(__file__).parents[1] / "data" / "config" / "mistakes.tsv"

# Where the lines of a case stand; the configuration begins with its own lines, so that numbers of lines matter.
_LISTEN = "server {\n        listen 127.0.0.1:26001;\n"
PLACES = {
    "main": "@",
    "events": "events {\n@\n}\n",
    "http": "events {}\nhttp {\n@\n}\n",
    "server": f"events {{}}\nhttp {{\n    {_LISTEN}@\n    }}\n}}\n",
    "location": f"events {{}}\nhttp {{\n    {_LISTEN}        location / {{\n@\n        }}\n    }}\n}}\n",
    "limit_except": (
        f"events {{}}\nhttp {{\n    {_LISTEN}        location / {{\n            limit_except GET {{\n@\n"
        "            }\n        }\n    }\n}\n"
    ),
    "upstream": f"events {{}}\nhttp {{\n    upstream u {{\n@\n    }}\n    {_LISTEN}    }}\n}}\n",
    "stream": "events {}\nstream {\n@\n}\n",
    "stream server": "events {}\nstream {\n    server {\n        listen 127.0.0.1:26002;\n@\n    }\n}\n",
    "stream upstream": (
        "events {}\nstream {\n    upstream u {\n@\n    }\n    server {\n        listen 127.0.0.1:26002;\n"
        "        proxy_pass u;\n    }\n}\n"
    ),
    "mail": "events {}\nmail {\n@\n}\n",
    "mail server": (
        "events {}\nmail {\n    auth_http 127.0.0.1:26009/a;\n    server {\n        listen 127.0.0.1:26003;\n"
        "        protocol imap;\n@\n    }\n}\n"
    ),
}

# Found when zones are made or sockets are opened, after the text was read: the whole command has to be asked.
WHOLE = ("zero size shared memory", 'no "events"', "0 worker_connections")


class Mistake(NamedTuple):
    place: str
    lines: str
    nginx: str  # empty: accepted
    ours: str

    @property
    def text(self) -> str:
        return PLACES[self.place].replace("@", self.lines, 1)


def read() -> list[Mistake]:
    found = []
    for line in DATA.read_text().splitlines():
        place, lines, nginx, ours = (part.replace("\\n", "\n").replace("\\t", "\t") for part in line.split("\t"))
        found.append(Mistake(place, lines, nginx, "" if ours == "ok" else ours or nginx))
    return found


MISTAKES = read()


def test_there_are_many() -> None:
    assert sum(1 for mistake in MISTAKES if mistake.nginx) >= 1200
    assert {mistake.place for mistake in MISTAKES} == set(PLACES)


def _neutral(said: str, path: Path) -> str:
    return said.replace(str(path), "FILE").replace(f"{path.parent}/", "PREFIX/")


def _command_says(text: str, path: Path) -> str:
    path.write_text(text)
    folder = path.parent
    command = [sys.executable, "-m", "gateway", "-t", "-p", f"{folder}/", "-e", f"{folder}/e.log", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=DATA.parents[3])
    found = re.search(r"gateway: \[emerg\] (.*)", done.stderr.decode())
    return found[1] if found else ""


@pytest.mark.parametrize("part", range(16))
def test_gateway(part: int, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    (tmp_path / "logs").mkdir()
    for mistake in MISTAKES[part::16]:
        says = _command_says if mistake.nginx.startswith(WHOLE) else gateway_says
        assert _neutral(says(mistake.text, path), path) == mistake.ours, mistake.text


@functools.cache
def _is_the_one() -> bool:
    if NGINX is None:
        return False
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, timeout=20, check=True).stderr
    return "nginx/1.31." in said


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")
@pytest.mark.parametrize("part", range(16))
def test_nginx(part: int, tmp_path: Path) -> None:
    if not _is_the_one():
        pytest.skip("the installed nginx is another one than that of the table")
    path = tmp_path / "nginx.conf"
    (tmp_path / "logs").mkdir()
    for mistake in MISTAKES[part::16]:
        path.write_text(mistake.text)
        command = [str(NGINX), "-t", "-p", f"{tmp_path}/", "-e", f"{tmp_path}/e.log", "-c", str(path)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        said = done.stderr.decode() if done.returncode else ""
        found = re.search(r"nginx: \[(?:emerg|crit)\] (.*?)\nnginx: ", said + "nginx: ", re.DOTALL)
        assert _neutral(found[1] if found else "", path) == mistake.nginx, mistake.text
