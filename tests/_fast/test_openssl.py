"""The library that is found at run time."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gateway._fast import openssl
from tests import certificates


def test_the_names_stand_in_the_order_of_their_pointers() -> None:
    declared = (Path(openssl.__file__).parent / "openssl.pxd").read_text()
    body = declared.split("cdef struct Functions:")[1].split("\ncdef enum:")[0]
    assert tuple(re.findall(r"\(\*(\w+)\)\(", body)) == openssl.NAMES
    assert set(openssl.NAMES) >= openssl.OPTIONAL


def test_it_is_pythons_own() -> None:
    """One OpenSSL in a process, where Python's shows its functions."""
    if openssl.where() in openssl.candidates()[:1]:
        assert openssl.version() == ssl.OPENSSL_VERSION
    assert openssl.version_number() >= 0x30000000


def in_a_process(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def test_the_systems_where_pythons_does_not_show_it() -> None:
    """A Python with OpenSSL inside it: the program itself has none of the functions."""
    code = """
from gateway._fast import openssl
openssl.load(["", "libssl.so.3"])
print(openssl.where(), openssl.version_number() >= 0x30000000)
"""
    assert in_a_process(code).strip() == "libssl.so.3 True"


INSIDE = """
#include <Python.h>
extern int OPENSSL_init_ssl(unsigned long long, const void *);
extern const void *TLS_method(void);
extern void *SSL_CTX_new(const void *);
static void *kept;
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_ssl", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__ssl(void)
{
    if (!OPENSSL_init_ssl(0, NULL) || !(kept = SSL_CTX_new(TLS_method())))
        return PyErr_NoMemory();
    return PyModule_Create(&module);
}
"""

AT_WORK = """
import socket, sys
folder, chain, key = sys.argv[1:]
sys.path.insert(0, folder)
import _ssl
assert _ssl.__file__.startswith(folder)
maps = lambda: open("/proc/self/maps").read()
assert "libssl" not in maps()
from gateway._fast import openssl, x509
from gateway._fast.tls_context import Context
from gateway._fast.tls_engine import Engine
context = Context(server=True, protocols=0x30)
context.use(x509.load_chain(chain), x509.load_key(key))
ours, theirs = socket.socketpair()
ours.setblocking(False)
theirs.setblocking(False)
server, client = Engine(context, ours.fileno()), Engine(Context(server=False, protocols=0x30), theirs.fileno())
done = [False, False]
for _ in range(9):
    done = [did or one.do_handshake() is True for did, one in zip(done, (client, server))]
assert client.send(b"question") and server.receive(100) == b"question"
print(all(done), openssl.where(), "libssl.so.3" in maps())
"""


@pytest.mark.parametrize("shown", [False, True])
def test_a_python_with_openssl_inside_it(tmp_path: Path, shown: bool) -> None:
    """Its `_ssl` has a libssl of its own, whose functions are hidden, or shown as far as it uses them."""
    compiler = sysconfig.get_config_var("CC").split()[0]
    archives = [
        subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
        for name in ("libssl.a", "libcrypto.a")
    ]
    if not all("/" in name for name in archives):
        pytest.skip("no libssl.a here")
    (tmp_path / "inside.c").write_text(INSIDE)
    chain, key = certificates.write(tmp_path)
    hiding = [] if shown else ["-Wl,--exclude-libs,ALL"]
    include = f"-I{sysconfig.get_path('include')}"
    argv = [compiler, "-shared", "-fPIC", include, "-o", "_ssl.so", "inside.c", *archives, *hiding, "-ldl", "-lpthread"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    argv = [sys.executable, "-c", AT_WORK, str(tmp_path), str(chain), str(key)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "True libssl.so.3 True", run.stdout + run.stderr


def test_nothing_will_do() -> None:
    code = """
from gateway._fast import openssl
try:
    openssl.load(["/nowhere/libssl.so", "libc.so.6"])
except openssl.OpenSslError as error:
    print(error)
"""
    told = in_a_process(code)
    assert "no OpenSSL 3.0 or newer was found (/nowhere/libssl.so: cannot be loaded; libc.so.6: it has no " in told


def test_what_newer_versions_have() -> None:
    for name, version in (("SSL_CTX_compress_certs", 0x30200000), ("SSL_get0_sigalg", 0x40000000)):
        assert openssl.has(name) == (openssl.version_number() >= version)
    assert openssl.has("SSL_new")
    with pytest.raises(ValueError):
        openssl.has("SSL_nothing")


def test_words_and_keys() -> None:
    assert openssl.verify_error_text(10) == "certificate has expired"
    assert len(openssl.random_bytes(80)) == 80 and openssl.random_bytes(16) != openssl.random_bytes(16)
