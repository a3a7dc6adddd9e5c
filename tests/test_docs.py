"""The documentation does what it says: configurations load, commands run, files and links are there.

```nginx is given to `gateway -t` (whole, or the inside of http or of server), ```python titled with a file's name is in
the folder where the page's ```sh commands run. What needs root or the network is typed by a trial in a fresh Debian
(make docs-trial, deb-trial, first-page) and only held against it here; EXCUSED is what nothing runs.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gateway.config.parser import parse
from gateway.dev import reference, reference_pages
from gateway.dev.manual import parser
from gateway.dev.verbs import VERBS

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)")
HTML_LINK = re.compile(r"(?:src|srcset|href)=\"([^\"#]+)(#[^\"]*)?\"")

OWN_PAGES = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

# All texts of the project, those for who works on it too.
TEXTS = sorted(
    page for name in ("docs", "gateway", "tests", "bench", "packaging", "conf") for page in (ROOT / name).rglob("*.md")
) + sorted(ROOT.glob("*.md"))

# What is run nowhere, and why.
EXCUSED = {
    "docker build -f packaging/Dockerfile -t gateway .": "there is no docker where this is built",
    "docker run -p 8080:80 gateway": "there is no docker where this is built",
    "django-admin startproject mysite .": "Django is installed by docs-trial, which types this",
    "python manage.py collectstatic --noinput": "Django is installed by docs-trial, which types this",
    "pip install /path/to/gateway": "some minutes of compiling; make wheel and make first-page install what it makes",
}
DIRECTIVES = set(reference_pages.pages())  # of the site, beside docs/
SERVING = {"run", "serve", "proxy"}


def blocks(kind: str) -> Iterator[tuple[Path, str, str]]:
    for page in OWN_PAGES:
        for name, title, body in FENCE.findall(page.read_text()):
            if name == kind:
                yield page, title, body


def _ids(found: list[tuple[Path, str, str]]) -> list[str]:
    return [f"{page.stem}-{body.strip().splitlines()[0][:40]}" for page, _, body in found]


CONFIGURATIONS = list(blocks("nginx"))
COMMANDS = [
    (page, "", line)
    for page, _, body in blocks("sh")
    for line in (re.sub(r"\s+#.*$", "", line) for line in body.splitlines())
    if line.strip()
]


def _whole(text: str) -> str:
    """A block as a file: what it begins with says where it belongs."""
    names = {statement.name for statement in parse(text, conf_prefix=f"{ROOT}/gateway/conf/").statements}
    if "http" in names:
        return text
    if not names & {"server", "upstream", "map", "acme_issuer"}:
        text = f"server {{ listen 127.0.0.1:8080; {text} }}"
    return f"events {{}}\nhttp {{\n{text}\n}}\n"


def _project(folder: Path, page: Path, *, listens: bool = True) -> None:
    """The folder that a page speaks of; `listens`: its configuration on ports that are free here."""
    for name, title, body in FENCE.findall(page.read_text()):
        if title:
            (folder / title).write_text(body)
        elif name == "nginx" and not (folder / "nginx.conf").exists():
            (folder / "nginx.conf").write_text(_local(_whole(body), folder, listens))
    if "mysite" in page.read_text():
        (folder / "mysite").mkdir(exist_ok=True)
        (folder / "mysite" / "wsgi.py").write_text("from nothing import get\napplication = get()\n")
    if not list(folder.glob("*.py")):
        (folder / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n")
    if not (folder / "nginx.conf").exists():
        site = "access_log off; server { listen 80; location / { return 204; } }"
        (folder / "nginx.conf").write_text(_local(f"events {{}}\nhttp {{ {site} }}\n", folder, listens))
    (folder / "static").mkdir(exist_ok=True)
    for name in ("uwsgi_params", "mime.types"):
        (folder / name).write_text((ROOT / "gateway" / "conf" / name).read_text())


def _local(text: str, folder: Path, listens: bool = True) -> str:
    """Ports that are free here, and folders that are the test's."""
    if listens:
        text = re.sub(r"listen (\d+)(?=[ ;])", lambda found: f"listen 127.0.0.1:{_port()}", text)
    text = re.sub(
        r"(state_path|alias) (/\S+);", lambda found: f"{found[1]} {folder}{found[2].replace('/', '_')}/;", text
    )
    text = re.sub(r"^(pid|error_log) .*\n", "", text, flags=re.M)
    return f"pid {folder}/pid;\nerror_log {folder}/error.log;\n{text}"


def _port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _gateway(folder: Path, words: list[str], out: int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder / "data"), "HOME": str(folder)}
    environment["PYTHONUNBUFFERED"] = "1"
    module = ["-m", "gateway"]
    if words[0] == "gateway-nginx":
        module = ["-c", "import sys; from gateway.cli import nginx; sys.exit(nginx())"]
    return subprocess.Popen(
        [sys.executable, *module, *words[1:]], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize(("page", "title", "text"), CONFIGURATIONS, ids=_ids(CONFIGURATIONS))
def test_configurations_load(page: Path, title: str, text: str, tmp_path: Path) -> None:
    _project(tmp_path, page)
    (tmp_path / "tried.conf").write_text(_local(_whole(text), tmp_path))
    done = _gateway(tmp_path, ["gateway", "-t", "-p", ".", "-c", "tried.conf"])
    said, _ = done.communicate(timeout=60)
    assert "test is successful" in said, said


@pytest.mark.parametrize(("page", "title", "line"), COMMANDS, ids=_ids(COMMANDS))
def test_commands(page: Path, title: str, line: str, tmp_path: Path) -> None:
    for part in re.split(r" && | \| ", line):
        words = shlex.split(part)
        if words[0] == "sudo" and words[1] in ("gateway", "gateway-nginx"):
            words = words[1:]
        if words[0] not in ("gateway", "gateway-nginx"):
            if line not in EXCUSED:
                _foreign(page, line, words, tmp_path)
            continue
        _project(tmp_path, page, listens=words[1] != "explain")
        if "main:app" in words and not (tmp_path / "main.py").exists():
            (tmp_path / "main.py").write_text(_ci("first_page").FASTAPI)
        for word in words[2:]:
            if word == "dist":
                (tmp_path / word).mkdir()
        if words[1:2] == ["init"]:
            (tmp_path / "nginx.conf").unlink()  # which it writes
        if "--help" not in words and len(words) > 1 and words[1] in VERBS:
            parser(words[1]).parse_args([word.replace("/path/to/nginx.conf", "nginx.conf") for word in words[2:]])
        _run(tmp_path, words)


def _ci(name: str) -> ModuleType:
    """A program of .ci."""
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / ".ci"))


def _foreign(page: Path, line: str, words: list[str], folder: Path) -> None:
    """What is not gateway's: run as far as it changes nothing, else it is what a trial types or installs."""
    while "=" in words[0] or words[:2] == ["sudo", "make"]:
        words = words[1:]
    trial = _ci("docs_trial")
    typed = [each for name in trial.TYPED for each in trial.commands(trial.section(name))]
    if words[0] == "sudo":
        # of packages.md, which deb_trial.py and certbot_trial.py install
        package = words[1:3] == ["apt-get", "install"] and words[3].startswith("./dist/")
        assert package or line in typed, line
    elif line in typed and words[0] not in ("python3", ".venv/bin/pip"):
        return
    elif words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif words[0] == "python3":
        subprocess.run([sys.executable, *words[1:3], "--without-pip", *words[3:]], cwd=folder, check=True)
        assert (folder / ".venv" / "bin" / "python").exists()
    elif words[0] == ".":
        subprocess.run(["sh", "-c", shlex.join(words)], cwd=folder, check=True)
    elif words[0].endswith("pip"):
        _installed(words, line)
    elif words[:2] == [".venv/bin/python", "-m"]:
        assert importlib.util.find_spec(words[2]), line
        assert all((ROOT / word).exists() for word in words[3:] if "/" in word), line
    else:
        assert os.access(ROOT / words[0], os.X_OK), line


def _installed(words: list[str], line: str) -> None:
    """By make first-page or docs-trial, for the same application; a wheel has the name that make wheel gives it."""
    kinds = [set(kind.packages) for kind in _ci("first_page").KINDS]
    names = {word for word in words[2:] if "/" not in word}
    assert words[1] == "install"
    django = {"django", "pyuwsgi"}  # by docs-trial alone
    assert not names or names in (*kinds, django), line
    for word in words[2:]:
        if word.startswith("dist/"):
            assert re.fullmatch(rf"dist/gateway-{_ci('make_deb').version()}-cp3\d+-cp3\d+-manylinux2014_\S+\.whl", word)


def _run(folder: Path, words: list[str]) -> None:
    words = [re.sub("^/etc/(gateway|nginx)/nginx.conf$", "nginx.conf", word) for word in words]
    if len(words) > 1 and words[1] in SERVING and "--print-conf" not in words:
        _serve(folder, [*words, "--port", str(_port())])
        return
    if "-s" in words or "-g" in words or words[1:] == ["-c", "nginx.conf"]:
        _as_nginx(folder, words)
        return
    done = _gateway(folder, words)
    said, _ = done.communicate(timeout=60)
    # check and compat end with 1 when they have found something, trust where a store cannot be had
    allowed = (0, 1) if words[1] in ("check", "compat", "trust") else (0,)
    assert done.returncode in allowed, said
    assert "Traceback" not in said
    assert "usage:" not in said


def _serve(folder: Path, words: list[str]) -> None:
    log = folder / "said"
    with log.open("w") as out:
        running = _gateway(folder, words, out.fileno())
    try:
        end = time.monotonic() + 40
        while "Ctrl-C stops " not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            assert running.poll() is None, log.read_text()
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)


def _as_nginx(folder: Path, words: list[str]) -> None:
    """A server that is there for the command, or is the command."""
    start = words if "-g" in words else ["gateway", "-c", "nginx.conf", "-g", "daemon off;"]
    where = [] if "-p" in words else ["-p", "."]
    running = _gateway(folder, [*start, *([] if "-p" in start else ["-p", "."])])
    try:
        end = time.monotonic() + 20
        while not (folder / "pid").exists():
            assert time.monotonic() < end
            assert running.poll() is None, running.communicate()[0]
            time.sleep(0.05)
        if "-s" in words:
            asked = _gateway(folder, [*words, *where])
            said, _ = asked.communicate(timeout=30)
            assert asked.returncode == 0, said
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20)


def test_what_is_excused_stands_there() -> None:
    assert set(EXCUSED) <= {line for _, _, line in COMMANDS}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    for target, anchor in [*LINK.findall(text), *HTML_LINK.findall(text)]:
        if "://" in target or target.startswith("mailto:"):
            continue
        if re.match(r"(\.\./)?directives/", target):
            assert target.partition("directives/")[2] in DIRECTIVES, f"{page.name}: {target}"
            continue
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor and there.suffix == ".md":
            heads = re.findall(r"^#+ (.+)$", FENCE.sub("", there.read_text()), re.M)
            slugs = {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor[1:] in slugs, f"{page.name}: {target}{anchor}"


def test_python_is_python() -> None:
    for page, _, body in blocks("python"):
        ast.parse(body, page.name)


def test_the_site_has_all_pages() -> None:
    listed = re.findall(r"- (\S+\.md)", (ROOT / "mkdocs.yml").read_text())
    assert sorted(listed) == sorted(["directives/index.md", "rules/index.md", *(page.name for page in PAGES)])


def test_directives_that_pages_name_are_known() -> None:
    known = set(reference.names())
    for page in PAGES:
        text = FENCE.sub("", page.read_text())
        for name in re.findall(r"`((?:uwsgi|proxy|ssl|acme|worker|client|fastcgi|access|error)_[a-z_]+)`", text):
            known_elsewhere = name in ("uwsgi_params",) or name.startswith("ssl_trusted")
            assert name in known or known_elsewhere, f"{page.name}: {name}"


def test_the_page_on_tests_runs(tmp_path: Path) -> None:
    (body,) = [body for page, title, body in blocks("python") if title == "test_site.py"]
    (tmp_path / "test_site.py").write_text(body)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_site.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
