"""How it is built: .ci/backend.py and .ci/make_wheel.py, as far as nothing is compiled."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
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
def test_a_wheel_for_each_machine(architecture: str, tmp_path: Path) -> None:
    made = _load("make_wheel").environment(architecture, tmp_path / "headers")
    assert f"-target {architecture}-linux-gnu.2.17" in made["CC"]
    assert made["_PYTHON_HOST_PLATFORM"] == f"linux-{architecture}"
    assert architecture in made["SETUPTOOLS_EXT_SUFFIX"]


def test_an_sdist_has_what_its_build_imports() -> None:
    listed = (ROOT / "MANIFEST.in").read_text()
    with (ROOT / "pyproject.toml").open("rb") as file:
        files = tomllib.load(file)["tool"]["setuptools"]["data-files"]
    for name in [".ci/backend.py", ".ci/build.py", *(name for names in files.values() for name in names)]:
        assert name in listed
        assert (ROOT / name).is_file()


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
    text = made.control(sys.executable, 1)
    assert f"python3 (>= {sys.version_info.major}.{sys.version_info.minor})" in text
    unit = (ROOT / "packaging/debian/gateway.service").read_text()
    assert "Type=notify" in unit
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", str(ROOT / "packaging/debian" / script)], check=True)


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
