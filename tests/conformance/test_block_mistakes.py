"""What nginx says of mistakes in rewrite, if, set, return, access, map, geo and split_clients, gateway says too."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gateway.config.directive import MAIN
from gateway.config.errors import ConfigError
from gateway.config.loader import Loader, Scope
from gateway.config.parser import parse
from gateway.core.open_files import FILES
from gateway.modules import MODULES
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

IN_LOCATION = [
    "rewrite ^ '';",
    "rewrite ^ /a bad;",
    "rewrite ( /a;",
    "return 1000;",
    "return 999;",
    "return abc;",
    "return -1;",
    "return '';",
    "return 200 $;",
    "return 200 ${a;",
    "return 200 ${};",
    "return 200 ${a}b;",
    "return 200 $a$;",
    "set a b;",
    "set $ b;",
    "set $a;",
    "set $uri x;",
    "set $args x;",
    "set $http_x y; return 200 $http_x;",
    "set $1 x;",
    "set $a $1;",
    "if $a { }",
    "if ($a { }",
    "if () { }",
    "if ( ) { }",
    "if (a) { }",
    "if ($a) { }",
    "if ($uri) { }",
    "if ($uri = ) { }",
    "if ($uri =) { }",
    "if ($uri == b) { }",
    "if ($uri = a b) { }",
    "if ($uri ~ () { }",
    "if ($uri ~ '(') { }",
    "if (-f) { }",
    "if (-q a) { }",
    "if (-f a b) { }",
    "if (!-f a) { }",
    "if (!f a) { }",
    "if (! -f a) { }",
    "if ($1 = a) { }",
    "if (${uri} = a) { }",
    "if ($uri != '') { }",
    "if ($uri) { if ($uri) { } }",
    "if ($uri) { location /x { } }",
    "if ($uri) { alias /x; }",
    "if ($uri) { root /x; }",
    "if { }",
    "if ($uri);",
    "break x;",
    "rewrite a;",
    "rewrite a b c d;",
    "rewrite_log maybe;",
    "rewrite ^ /a?b=$x;",
    "rewrite ^ $arg_a;",
    "rewrite '^(?<n>.*)$' /$n;",
    "rewrite '^(?<uri>.*)$' /$n;",
    "return 301 'http://$host$';",
    "set $host x;",
    "set $limit_rate x;",
    "set $a-b c;",
    "set $A b; return 200 $a;",
    "deny;",
    "deny all;",
    "allow 1.2.3;",
    "allow 1.2.3.4/33;",
    "allow 1.2.3.4/x;",
    "allow ::/129;",
    "allow unix:x;",
    "allow 255.255.255.255;",
    "deny 127.0.0.1/8;",
    "allow ::1/;",
    "deny 1.2.3.4.5;",
    "allow a;",
    "if ($uri) { allow all; }",
    "limit_except GET { deny all; }",
]

IN_SERVER = [
    "if ($uri) { root /x; }",
    "if ($uri) { return 200; }",
    "if ($uri) { add_header a b; }",
    "return 200 a;",
    "rewrite ^ /x last;",
    "break;",
]

IN_HTTP = [
    "map a b { }",
    "map a $uri { }",
    "map a $b { x; }",
    "map a $b { x y z; }",
    "map a $b { x y { } }",
    "map a $b { default 1; default 2; }",
    "map a $b { x 1; X 2; }",
    "map a $b { hostnames; .x.y 1; x.y 2; }",
    "map a $b { hostnames; *.x.y 1; .x.y 2; }",
    "map a $b { hostnames; a*b 1; }",
    "map a $b { hostnames; *.*.a 1; }",
    "map a $b { hostnames; a..b 1; }",
    "map a $b { x $none; }",
    "map a $b { ~( x; }",
    "map a $b { ~(?<u>.) $u; }",
    "map $ $b { }",
    "map a $b;",
    "map a { }",
    "map a $b c { }",
    "map a $ { }",
    "map a $b { include; }",
    "map a $b { include /nonexistent; }",
    "map a $b { volatile; }",
    "map a $b { hostnames x; }",
    "map a $b { '' 1; }",
    "map a $b { \\default 1; default 2; }",
    "split_clients $uri $v { 60% a; 50% b; }",
    "split_clients $uri $v { 0% a; }",
    "split_clients $uri $v { 1.234% a; }",
    "split_clients $uri $v { 10 a; }",
    "split_clients $uri $v { % a; }",
    "split_clients $uri $v { * a; }",
    "split_clients $uri $v { * a; * b; }",
    "split_clients $uri $v { 100% a; 1% b; }",
    "split_clients $uri v { }",
    "split_clients $uri $v { .5% a; 5.% b; . c; }",
    "split_clients $uri $v { .% c; }",
    "split_clients $uri $v { 50% a; 50% b; * c; }",
    "geo $g { 1.2.3.4/8; }",
    "geo $g { 1.2.3 a; }",
    "geo $g { default a; ranges; }",
    "geo $g { ranges; 1.2.3.4 a; }",
    "geo $g { ranges; 1.2.3.4-1.2.3.3 a; }",
    "geo $g { ranges; 1.2.3.4-1.2.3.6 a; 1.2.3.5-1.2.3.7 b; }",
    "geo $g { ranges; 1.2.3.4-1.2.3.6 a; 1.2.3.3-1.2.3.7 b; }",
    "geo $g { ranges; ranges; default x; }",
    "geo $g { delete 1.2.3.4; }",
    "geo $g { 1.2.3.4 a; 1.2.3.4 b; }",
    "geo $g { 1.2.3.4/8 a; }",
    "geo $g { proxy x; }",
    "geo $g { proxy 1.2.3.4; proxy_recursive; }",
    "geo $g { default a; default b; }",
    "geo $g { ranges; default a; default b; }",
    "geo $g { ranges; delete 1.2.3.4-1.2.3.5; }",
    "geo g { }",
    "geo $a g { }",
    "geo $nonex $g { }",
    "geo $g { 255.255.255.255 a; }",
    "geo $g { ranges; 0.0.0.0-255.255.255.255 a; }",
    "geo $g { x { } }",
    "geo $g { ranges; 1.1.1.1-1.1.1.2 a; 1.1.1.1-1.1.1.2 b; }",
    "geo $g { include /nonexistent; }",
    "geo $uri { }",
    "geo $g { volatile x; }",
    "allow 1.2.3.4/8;",
]

TEXTS = [
    *[f"http {{ server {{ listen 127.0.0.1:8080; location / {{ {text} }} }} }}" for text in IN_LOCATION],
    *[f"http {{ server {{ listen 127.0.0.1:8080; {text} }} }}" for text in IN_SERVER],
    *[f"http {{ {text} server {{ listen 127.0.0.1:8080; }} }}" for text in IN_HTTP],
]


def gateway_says(text: str, path: Path) -> list[str]:
    """List warnings, and the error if there is one."""
    prefix = f"{path.parent}/"
    loader = Loader(MODULES, prefix=prefix, conf_prefix=prefix, testing=True)
    loader.parts.get(FILES)
    errors = []
    try:
        loader.walk(parse(text, str(path), conf_prefix=prefix).statements, Scope(MAIN))
    except ConfigError as error:
        errors.append(error)
    return [f"[{error.level}] {error}" for error in [*loader.warnings, *errors]]


def nginx_says(text: str, path: Path) -> list[str]:
    path.write_text(text)
    folder = path.parent
    command = [str(NGINX), "-t", "-p", f"{folder}/", "-e", f"{folder}/e.log", "-c", str(path), "-g", f"pid {folder}/p;"]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    said: list[str] = re.findall(r"^nginx: (\[(?:warn|emerg|crit)\] .*)$", done.stderr.decode(), re.MULTILINE)
    return said


@pytest.mark.parametrize("text", TEXTS)
def test_the_same_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    text = f"events {{ }}\n{text}\n"
    assert gateway_says(text, path) == nginx_says(text, path)
