from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config.parser import parse
from gateway.dev.app_finder import Application
from gateway.dev.browser_reload import location
from gateway.dev.run_conf import Place, configuration, quoted, static_location
from gateway.dev.start_block import walk

APPLICATION = Application("app", "app", Path("/"), None)


@pytest.mark.parametrize("text", ["plain", "with space", 'quote"', "back\\slash", "semi;colon", "", "{brace}", "it's"])
def test_quoted_word_is_read_back(text: str) -> None:
    source = parse(f"root {quoted(text)};")
    assert source.error is None
    assert source.statements[0].args == [text]


def test_static_location(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    assert static_location("/static=files", tmp_path) == ("/static/", tmp_path / "files")
    assert static_location("/static/=files/", tmp_path) == ("/static/", tmp_path / "files")


@pytest.mark.parametrize("spec", ["static=files", "/static", "/static=", "/static=missing"])
def test_static_location_refuses(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ValueError, match=r"should look like|no folder"):
        static_location(spec, tmp_path)


def test_djangos_static_files_are_made_by_a_command(tmp_path: Path) -> None:
    (tmp_path / "manage.py").touch()
    with pytest.raises(ValueError, match=r"static is no folder; manage\.py collectstatic makes"):
        static_location("/static=static", tmp_path)


def test_configuration_is_read_whole(tmp_path: Path) -> None:
    static = [("/static/", tmp_path)]
    text = configuration(APPLICATION, "/run/x.sock", place=Place(port=8123), static=static, processes=1)
    source = parse(text)
    assert source.error is None
    found = {s.name: s.args for s in walk(source.statements)}
    assert found["listen"] == ["127.0.0.1:8123"]
    assert found["uwsgi_pass"] == ["unix:/run/x.sock"]
    assert found["alias"] == [f"{tmp_path}/"]


@pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None, reason="nginx is missing")
@pytest.mark.parametrize("static", [False, True])
def test_nginx_takes_it(tmp_path: Path, static: bool) -> None:
    folder = tmp_path / 'odd "name" {;}'
    folder.mkdir()
    locations = [("/static/", folder)] if static else []
    file = tmp_path / "nginx.conf"
    place = Place(port=8123)
    file.write_text(configuration(APPLICATION, f"{tmp_path}/x.sock", place=place, static=locations, processes=2))
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert nginx
    done = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-c", str(file), "-e", "stderr", "-g", f"pid {tmp_path}/pid;"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "syntax is ok" in done.stderr


def test_asgi_and_https(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("async def app(scope, receive, send): ...")
    application = Application("app", "app", tmp_path, tmp_path / "app.py")
    place = Place("::1", 8443, "localhost", (tmp_path / "c.pem", tmp_path / "c.key"))
    source = parse(configuration(application, "/run/x.sock", place=place, static=[], processes=1))
    assert source.error is None
    found = {s.name: s.args for s in walk(source.statements)}
    assert found["listen"] == ["[::1]:8443", "ssl"]
    assert found["proxy_pass"] == ["http://unix:/run/x.sock"]
    assert found["ssl_certificate"] == [f"{tmp_path}/c.pem"]


@pytest.mark.parametrize("asgi", [False, True])
def test_pages_that_are_changed_come_as_they_are(asgi: bool, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"{'async ' * asgi}def app(one, two{', three' * asgi}): ...")
    application = Application("app", "app", tmp_path, tmp_path / "app.py")
    text = configuration(
        application, "/run/x.sock", place=Place(), static=[], processes=1, more=location(tmp_path)
    )  # fmt: skip
    assert parse(text).error is None
    refused = 'proxy_set_header Accept-Encoding ""' if asgi else 'uwsgi_param HTTP_ACCEPT_ENCODING ""'
    assert refused in text and "sub_filter </body>" in text


def test_pages_of_what_happens() -> None:
    """gateway's own are there when gateway serves, for this machine alone; never in what is printed."""
    text = configuration(
        APPLICATION, "/run/x.sock", place=Place(port=8123), static=[], processes=1, history="/run/requests.ring"
    )
    found = {s.name: s.args for s in walk(parse(text).statements)}
    assert found["request_history"] == ["/run/requests.ring"]
    assert found["deny"] == ["all"]
    assert "dashboard" in found
    plain = configuration(APPLICATION, "/run/x.sock", place=Place(port=8123), static=[], processes=1)
    assert "dashboard" not in plain and "request_history" not in plain
