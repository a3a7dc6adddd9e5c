"""The library that is found at run time."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from gateway._fast import openssl


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
