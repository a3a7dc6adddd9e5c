from __future__ import annotations

import pytest

from gateway import modules
from gateway.config.directive import Context
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.logs import LOG, Log
from tests.engine import MemorySink


def warnings(text: str) -> list[str]:
    loader = Loader(modules.MODULES, prefix="/", conf_prefix="/")
    loader.parts.put(LOG, Log(MemorySink()))
    loader.walk(parse(text, "nginx.conf", conf_prefix="/").statements, Scope(Context.MAIN))
    return [str(warning) for warning in loader.warnings]


@pytest.mark.parametrize("path", ["modules/ngx_stream_module.so", "/usr/lib/nginx/ngx_http_xslt_filter_module.so"])
def test_what_is_here(path: str) -> None:
    assert warnings(f"load_module {path};") == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ngx_http_js_module", "; map, set and auth_request do much of what njs is used for"),
        ("ngx_http_echo_module", ""),
    ],
)
def test_what_is_not(name: str, words: str) -> None:
    found = warnings(f"load_module modules/{name}.so;")
    assert found == [f'module "{name}" is not part of gateway, and not loaded{words} in nginx.conf:1']


def test_too_late() -> None:
    with pytest.raises(ConfigError, match="is specified too late"):
        warnings("events { } load_module modules/ngx_stream_module.so;")
