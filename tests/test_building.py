"""How it is built: .ci/backend.py and .ci/make_wheel.py, as far as nothing is compiled."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what their annotations name
    spec.loader.exec_module(module)
    return module


def test_no_compiler_is_one_sentence(tmp_path: Path) -> None:
    code = "import sys; sys.path.insert(0, '.ci'); import backend; backend.get_requires_for_build_wheel()"
    environment = {"PATH": str(tmp_path), "CC": "cc", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "a C compiler (cc)" in done.stderr
    assert "apt-get install gcc" in done.stderr


def test_python_without_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = _load("backend")
    monkeypatch.setenv("CC", sys.executable)
    assert backend.lacking() == "" or "Python.h" in backend.lacking()
    monkeypatch.setattr(backend.sysconfig, "get_path", lambda _: "/nowhere")
    assert "and Python.h cannot be found" in backend.lacking()
    assert "python3-dev" in backend.lacking()


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_a_wheel_for_each_machine(beside: None, architecture: str, tmp_path: Path) -> None:
    made = _load("make_wheel").environment(architecture, tmp_path / "headers")
    assert f"-target {architecture}-linux-gnu.2.17" in made["CC"]
    assert made["_PYTHON_HOST_PLATFORM"] == f"linux-{architecture}"
    assert architecture in made["SETUPTOOLS_EXT_SUFFIX"]
    # zig looks into no folder of the system's, for this machine neither
    assert made["CPPFLAGS"] == f"-I{tmp_path / 'headers'}"


_LISTED = """\
import sys, warnings
from setuptools import Distribution

warnings.simplefilter("ignore")
found = Distribution({"script_name": "listed"})
found.parse_config_files()
command = found.get_command_obj("egg_info")
command.egg_base = sys.argv[1]
command.ensure_finalized()
command.run()
"""


def test_an_sdist_has_what_its_build_imports_and_no_test(tmp_path: Path) -> None:
    """setuptools would take tests/test_*.py along, and nothing of what those import."""
    subprocess.run([sys.executable, "-c", _LISTED, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    listed = (tmp_path / "gateway.egg-info" / "SOURCES.txt").read_text().splitlines()
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["setuptools"]
    data = [name for names in settings["data-files"].values() for name in names]
    sources = [name for extension in settings["ext-modules"] for name in extension["sources"]]
    assert {".ci/backend.py", ".ci/build.py", "LICENSE", *data, *sources} <= set(listed)
    assert [name for name in listed if name.startswith("tests")] == []


def test_products_of_modules_that_are_no_more_go(tmp_path: Path) -> None:
    """They would be imported in the place of a source of that name, or beside it."""
    build = _load("build")
    (tmp_path / "inner").mkdir()
    for name in ("a.py", "a.c", "a.cpython-311.so", "gone.c", "gone.cpython-311.so", "inner/b.c", "inner/b.pyx"):
        (tmp_path / name).touch()
    named = [build.Extension(name, [f"{tmp_path}/{source}"]) for name, source in (("a", "a.py"), ("b", "inner/b.pyx"))]
    stale = build.stale(named, str(tmp_path))
    assert [os.path.relpath(name, tmp_path) for name in stale] == ["gone.c", "gone.cpython-311.so"]
    assert build.stale(build.distribution().ext_modules) == []


def test_the_package_for_debian_has_its_files() -> None:
    made = _load("make_deb")
    for source, target, _ in made.FILES:
        assert source.is_file(), target
    assert "Architecture: arm64\n" in made.control("3.9", "aarch64", 1)
    text = made.control("3.9", "x86_64", 1)
    assert "python3 (>= 3.9), python3 (<< 3.10)" in text
    # that of a younger release is an upgrade
    assert f"Version: {made.version()}+py3.9\n" in text
    unit = (ROOT / "packaging/debian/gateway.service").read_text()
    assert "Type=notify" in unit
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", str(ROOT / "packaging/debian" / script)], check=True)


def test_a_package_is_made_of_the_wheel_for_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _load("make_deb")
    monkeypatch.setattr(made, "DIST", tmp_path)
    made_for = [("3.10", "x86_64"), ("3.9", "x86_64"), ("3.9", "aarch64")]
    for python, machine in made_for:
        tag = f"cp{python.replace('.', '')}"
        name = f"gateway-{made.version()}-{tag}-{tag}-manylinux_2_17_{machine}.whl"
        (tmp_path / name).touch()
        (tmp_path / name.replace("manylinux_2_17", "linux")).touch()  # of pip's, and younger
        assert made.wheel(python, machine).name == name


def test_a_wheel_has_each_product_once(beside: None, tmp_path: Path) -> None:
    made = _load("make_wheel")
    files = {
        "gateway/a.cpython-30-x86_64-linux-gnu.so": b"twice",
        "gateway/a.py": b"source",
        "gateway/b.cpython-30-x86_64-linux-gnu.so": b"once",
        "gateway/c.cpython-30-x86_64-linux-gnu.so": b"holds a",
    }
    record = "".join(f"{name},sha256=x,1\n" for name in (*files, "g-1.dist-info/RECORD"))
    wheel = tmp_path / "g.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name, content in (*files.items(), ("g-1.dist-info/RECORD", record.encode())):
            file.writestr(name, content)
    made.without_doubles(wheel, {"gateway.a"}, "gateway.none")
    assert len(zipfile.ZipFile(wheel).namelist()) == 5
    made.without_doubles(wheel, {"gateway.a"}, "gateway.c")
    with zipfile.ZipFile(wheel) as file:
        left = file.namelist()
        assert left == [*list(files)[1:], "g-1.dist-info/RECORD"]
        assert file.read("g-1.dist-info/RECORD").decode() == record.partition("\n")[2]


def test_a_wheel_for_another_python_needs_that_python(beside: None) -> None:
    with pytest.raises(SystemExit, match="is not here: a wheel is made by"):
        _load("make_wheel").other("python2.9")


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of .ci find each other, as where they are run."""
    monkeypatch.syspath_prepend(ROOT / ".ci")


def test_a_trial_takes_the_package_of_its_release(
    beside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = _load("deb_trial")
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    (tmp_path / "dist").mkdir()
    names = [f"gateway_1+py3.13_{machine}.deb" for machine in trial.MACHINES.values()]
    for name in names:
        (tmp_path / "dist" / name).touch()
    assert trial.package("trixie").name == f"gateway_1+py3.13_{trial.MACHINES[os.uname().machine]}.deb"
    with pytest.raises(SystemExit, match=re.escape('make deb DEB="--for 3.11"')):
        trial.package("bookworm")


def test_the_stand_in_for_nginx_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing")
    made = _load("make_deb")
    monkeypatch.setattr(made, "DIST", tmp_path)
    package = str(made.make_stand_in())
    told = subprocess.run(["dpkg-deb", "-f", package, "Provides"], capture_output=True, text=True, check=True).stdout
    assert told == "nginx\n"
    files = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    assert "./usr/sbin/nginx -> gateway-nginx" in files


def test_the_trial_of_the_docs_types_what_stands_there(beside: None) -> None:
    trial = _load("docs_trial")
    assert list(trial.commands("a\n```sh\nsudo x   # why\n\ny && z\n```\n```text\nno\n```\n")) == ["sudo x", "y && z"]
    typed = list(trial.commands(trial.section("flask.md", "On the server")))
    assert typed[0] == "sudo apt-get install python3-venv"
    assert any(line.startswith("gateway init") for line in typed)
    assert set(trial.TRIALS) == {"flask.md", "django.md", "fastapi.md", "from-nginx.md"}
    assert "sudo systemctl disable --now nginx" in list(trial.commands(trial.section("from-nginx.md", "In its place")))


def test_a_userland_of_ubuntu_is_made_by_an_older_debootstrap_too(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    userland = _load("userland")
    command = userland._debootstrap("noble", Path("/there"))
    assert command[-4:] == ["noble", "/there", "", "gutsy"]
    assert "--no-check-gpg" not in userland._debootstrap("trixie", Path("/there"))
    monkeypatch.setattr(userland, "_UBUNTU_KEYS", Path("/dev/null"))
    assert "--no-check-gpg" not in userland._debootstrap("noble", Path("/there"))


def test_the_first_page_in_another_debian_takes_its_wheel(tmp_path: Path) -> None:
    first_page = _load("first_page")
    (tmp_path / f"gateway-1-cp30-cp30-linux_{os.uname().machine}.whl").touch()
    assert "cp30" in first_page.newest(tmp_path, "cp30").name


def test_a_trial_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    userland = _load("userland")
    monkeypatch.setattr(userland.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        userland.releases(None)
    assert "by root only" in capsys.readouterr().err
    monkeypatch.setattr(userland.os, "geteuid", lambda: 0)
    monkeypatch.setattr(userland.shutil, "which", lambda name: None if name == "systemd-nspawn" else name)
    with pytest.raises(SystemExit):
        userland.releases(None)
    assert "apt-get install systemd-container" in capsys.readouterr().err


def test_a_step_of_a_trial_is_a_line_and_a_failed_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    userland = _load("userland")
    steps = userland.Steps()
    with steps.step("true"):
        pass
    with pytest.raises(userland.Failed, match="no"), steps.step("false"):
        raise userland.Failed("no")
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(" s  true")
    assert said[1].split() == ["failed", "false"]
    assert [shown for shown, _ in steps.times] == ["true"]


def test_the_configurations_of_packages_load(tmp_path: Path) -> None:
    for name in ("debian/nginx.conf", "docker.conf"):
        text = (ROOT / "packaging" / name).read_text()
        for path in ("/var/log/gateway", "/run"):
            text = text.replace(path, str(tmp_path))
        text = text.replace("80 default_server", "127.0.0.1:8097 default_server").replace("user  www-data;", "")
        (tmp_path / "nginx.conf").write_text(text)
        (tmp_path / "mime.types").write_text((ROOT / "gateway/conf/mime.types").read_text())
        command = [sys.executable, "-m", "gateway", "-t", "-p", f"{tmp_path}/", "-c", "nginx.conf"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
        assert "test is successful" in done.stderr, done.stderr


def test_the_dockerfile_copies_what_is_there() -> None:
    for line in (ROOT / "packaging/Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line and "." not in line.split()[1:2]:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_the_first_page_has_its_wheel_and_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_page = _load("first_page")
    with pytest.raises(SystemExit, match="make wheel"):
        first_page.newest(tmp_path)
    tag, machine = f"cp{sys.version_info.major}{sys.version_info.minor}", os.uname().machine
    names = f"gateway-1-{tag}-{tag}-linux_{machine}.whl", f"gateway-2-cp30-cp30-linux_{machine}.whl"
    for number, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    assert first_page.newest(tmp_path).name.startswith("gateway-1-")
    monkeypatch.setenv("CC", "gcc")
    environment = first_page.Trial(tmp_path, tmp_path / "w").environment
    assert environment["PATH"] == str(tmp_path / ".venv" / "bin")
    assert environment["HOME"] == str(tmp_path / "home")
    assert not {"CC", "PYTHONPATH", "VIRTUAL_ENV"} & set(environment)
    for kind in first_page.KINDS:
        compile(kind.code, kind.file, "exec")
