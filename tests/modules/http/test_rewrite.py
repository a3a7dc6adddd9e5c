"""rewrite: scripts of servers and locations, redirects, captures and their escaping, `if` and its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving

SHOW = 'return 200 "uri:$uri args:$args";'


def server(text: str) -> str:
    return "server { listen 127.0.0.1:8080;\n" + text + "\n}"


@pytest.mark.parametrize(
    ("directive", "target", "status", "location"),
    [
        ("rewrite ^ http://example.com/ redirect", "/t", 302, b"http://example.com/"),
        ("rewrite ^ http://example.com/", "/t?a=b", 302, b"http://example.com/?a=b"),
        ("rewrite ^ http://example.com/?c=d permanent", "/t?a=b", 301, b"http://example.com/?c=d&a=b"),
        ("rewrite ^ http://example.com/?c=d?", "/t?a=b", 302, b"http://example.com/?c=d"),
        ("rewrite ^ $scheme://x$uri last", "/t", 302, b"http://x/t"),
        ("rewrite ^/t(.*) /n$1 permanent", "/t/a%20b", 301, b"http://localhost/n/a%20b"),
        ("rewrite ^ /blah%3Fblah redirect", "/t", 302, b"http://localhost/blah?blah"),
        ("rewrite ^ $arg_r? redirect", "/t?r=http%3A%2F%2Fe%0D%0As", 302, b"http://e%0D%0As"),
        ("return 301 /n?$args", "/t?x", 301, b"http://localhost/n?x"),
        ("return https://e$request_uri", "/t?x", 302, b"https://e/t?x"),
        ("return 308 $arg_none", "/t", 308, b""),
    ],
)
async def test_redirects(directive: str, target: str, status: int, location: bytes) -> None:
    async with serving(server(f"location /t {{ {directive}; }}")) as engine:
        reply = await engine.get(target)
        assert (reply.status, reply.header("location")) == (status, location)


async def test_a_rewritten_uri_is_looked_up_again() -> None:
    text = server(
        f"""
        location / {{ {SHOW} }}
        location /last {{ rewrite ^/last(.*)$ /new$1?c=d last; return 500; }}
        location /drop {{ rewrite ^ /new?c=d? last; }}
        location /on {{ rewrite ^ /a; rewrite ^/a /b; set $seen $uri; }}
        location /b {{ return 200 "seen:$seen"; }}
        location /stay {{ rewrite ^ /new break; return 500; }}
        location /cap {{ rewrite ^(.*) $1?c=$1; {SHOW} }}
        location /loop {{ rewrite ^ /loop; }}
        location /none {{ rewrite ^ $arg_none last; }}
        """
    )
    async with serving(text) as engine:
        assert (await engine.get("/last/x?a=b")).body == b"uri:/new/x args:c=d&a=b"
        assert (await engine.get("/drop?a=b")).body == b"uri:/new args:c=d"
        assert (await engine.get("/on")).body == b"seen:/b"
        assert (await engine.get("/stay")).status == 404
        # arguments are escaped when the client's URI was, the path is not
        assert (await engine.get("/cap/%25")).body == b"uri:/cap/% args:c=/cap/%25"
        assert (await engine.get("/loop")).status == 500
        assert (await engine.get("/none")).status == 500
        assert any("rewrite or internal redirection cycle while processing" in line for line in engine.log.lines)
        assert any("the rewritten URI has a zero length" in line for line in engine.log.lines)


async def test_return() -> None:
    text = server(
        """
        location /empty { return 200; }
        location /text { return 200 "text"; set $never 1; }
        location /type { default_type application/json; return 201 "$args"; }
        location /none { return 204; }
        location /page { return 405; }
        location /own { return 404 "own"; }
        location /odd { return 306; }
        location /close { return 444; }
        location /error { error_page 405 /text; return 405; }
        location /moved { error_page 302 /text; return 302 "there"; }
        """
    )
    async with serving(text) as engine:
        reply = await engine.get("/empty")
        assert (reply.status, reply.body, reply.header("content-length")) == (200, b"", b"0")
        reply = await engine.get("/text.html")
        assert (reply.body, reply.header("content-type")) == (b"text", b"text/html")
        reply = await engine.get("/type?x")
        assert (reply.status, reply.body, reply.header("content-type")) == (201, b"x", b"application/json")
        assert (await engine.request("HEAD", "/text")).header("content-length") == b"4"
        assert (await engine.get("/none")).status == 204
        assert b"405 Not Allowed" in (await engine.get("/page")).body
        assert (await engine.get("/own")).body == b"own"
        assert (await engine.get("/odd")).status == 306
        assert await engine.raw(b"GET /close HTTP/1.0\r\n\r\n") == b""
        reply = await engine.get("/error")
        assert (reply.status, reply.body) == (405, b"text")
        reply = await engine.get("/moved")
        assert (reply.status, reply.header("location"), reply.body) == (302, b"there", b"text")


async def test_a_server_s_script_runs_before_the_choice_and_only_once() -> None:
    text = server(
        """
        set $count "${count}x";
        if ($arg_out) { return 200 "out"; }
        if ($uri ~ ^/old(?<Rest>/.*)) { rewrite ^ /new$rest; }
        location /new { return 200 "$uri $count"; }
        """
    )
    async with serving(text) as engine:
        assert (await engine.get("/?out=1")).body == b"out"
        assert (await engine.get("/old/a")).body == b"/new/a x"
        assert (await engine.get("/elsewhere")).status == 404


async def test_set() -> None:
    text = server(
        """
        location /args { set $args "a=b"; return 200 "$args $arg_a"; }
        location /field { set $http_x "mine"; return 200 "$http_x"; }
        location /other { return 200 "$http_x"; }
        location /unset { return 200 "<$late>"; set $late 1; }
        location /quiet { uninitialized_variable_warn off; return 200 "<$late>"; }
        location /quote {
            if ($uri ~ ^/quote(.*)) { set $a $1; }
            rewrite ^/quote(.*) $uri;
            set $b $1;
            return 200 $a,$b;
        }
        """
    )
    async with serving(text) as engine:
        assert (await engine.get("/args?z")).body == b"a=b b"
        assert (await engine.get("/field", {"X": "client's"})).body == b"mine"
        assert (await engine.get("/other", {"X": "client's"})).body == b"client's"
        assert (await engine.get("/quiet")).body == b"<>"
        assert not engine.log.lines
        assert (await engine.get("/unset")).body == b"<>"
        assert 'using uninitialized "late" variable' in engine.log.lines[0]
        assert (await engine.get("/quote/%20")).body == b"/%20,/ "


async def test_break_keeps_the_location() -> None:
    text = server(f"location /a {{ rewrite ^ /b; break; return 500; }} location /b {{ {SHOW} }}")
    async with serving(text) as engine:
        assert (await engine.get("/a")).status == 404


async def test_alias_has_no_place_for_a_rewritten_uri(tmp_path: Path) -> None:
    text = server(f"location /a/ {{ alias {tmp_path}/; rewrite ^ /other break; }}")
    async with serving(text) as engine:
        assert (await engine.get("/a/x")).status == 500
        assert '"alias" cannot be used in location "/a/" where URI was rewritten' in engine.log.lines.pop()


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("($arg_c)", ["1", "x"], ["", "0"]),
        ("( $arg_c )", ["1"], ["0"]),
        ("($arg_c = 1)", ["1"], ["2", ""]),
        ("($arg_c = $arg_c)", ["1"], []),
        ("($arg_c != 2)", ["1", ""], ["2"]),
        ("($arg_c ~ foo)", ["food"], ["FOO", ""]),
        ("($arg_c ~* foo)", ["FooD"], ["bar"]),
        ("($arg_c !~ foo)", ["FooD", ""], ["food"]),
        ("($arg_c !~* foo)", ["bar"], ["FooD"]),
        ("(-f {root}/$arg_c)", ["file"], ["dir", "nx", "file/x"]),
        ("(!-f {root}/$arg_c)", ["dir", "nx"], ["file"]),
        ("(-d {root}/$arg_c)", ["dir"], ["file", "nx"]),
        ("(!-d {root}/$arg_c)", ["file"], ["dir"]),
        ("(-e {root}/$arg_c)", ["file", "dir"], ["nx"]),
        ("(!-e {root}/$arg_c)", ["nx"], ["file"]),
        ("(-x {root}/$arg_c)", ["dir"], ["file", "nx"]),
        ("(!-x {root}/$arg_c)", ["file", "nx"], ["dir"]),
    ],
)
async def test_conditions(condition: str, holds: list[str], fails: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dir").mkdir()
    condition = condition.replace("{root}", str(tmp_path))
    text = server(f'location / {{ if {condition} {{ return 200 "yes"; }} return 200 "no"; }}')
    async with serving(text) as engine:
        assert [(await engine.get(f"/?c={value}")).body for value in holds] == [b"yes"] * len(holds)
        assert [(await engine.get(f"/?c={value}")).body for value in fails] == [b"no"] * len(fails)


async def test_the_last_if_that_holds_gives_the_settings(tmp_path: Path) -> None:
    for name in ("one", "two", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    text = server(
        f"""
        location / {{
            root {tmp_path}/plain;
            if ($arg_a) {{ root {tmp_path}/one; }}
            if ($arg_b) {{ root {tmp_path}/two; }}
            if ($arg_c) {{ return 200 c; }}
            if ($arg_d) {{ rewrite ^ /f last; }}
        }}
        """
    )
    async with serving(text) as engine:
        assert (await engine.get("/f")).body == b"plain"
        assert (await engine.get("/f?a=1")).body == b"one"
        assert (await engine.get("/f?a=1&b=1")).body == b"two"
        assert (await engine.get("/f?a=1&c=1")).body == b"c"
        assert (await engine.get("/x?d=1")).status == 500  # a cycle: /f is rewritten to /f
    text = server(f"location / {{ root {tmp_path}/plain; error_page 404 /f; if ($arg_a) {{ root /nowhere; }} }}")
    async with serving(text) as engine:
        assert (await engine.get("/nx?a=1")).body == b"plain"


async def test_rewrite_log() -> None:
    text = server("location / { rewrite_log on; rewrite ^/(a) /b?c break; }")
    async with serving(text) as engine:
        await engine.get("/a")
        assert '"^/(a)" matches "/a"' in engine.log.lines[0]
        assert 'rewritten data: "/b", args: "c"' in engine.log.lines[1]
        assert all("[notice]" in line for line in engine.log.lines[:2])


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("rewrite ^ ''", "empty replacement"),
        ("rewrite ^ /a bad", 'invalid parameter "bad"'),
        ("rewrite ( /a", "pcre2_compile() failed: missing closing parenthesis"),
        ("return 1000", 'invalid return code "1000"'),
        ("return /there", 'invalid return code "/there"'),
        ("set a b", 'invalid variable name "a"'),
        ("set $uri b", 'the duplicate "uri" variable'),
        ("set $a $", "invalid variable name"),
        ("set $a ${b", 'the closing bracket in "b" variable is missing'),
        ("return 200 $nope", 'unknown "nope" variable'),
        ("if $a { }", 'invalid condition "$a"'),
        ("if ($a { }", 'invalid condition "$a"'),
        ("if ($a = ) { }", 'invalid condition "$a"'),
        ("if ($a == b) { }", 'unexpected "==" in condition'),
        ("if (a) { }", 'invalid condition "a"'),
        ("if (-q a) { }", 'invalid condition "-q"'),
        ("if (-f a b) { }", 'invalid condition "-f"'),
        ("if ($uri) { if ($uri) { } }", '"if" directive is not allowed here'),
    ],
)
def test_mistakes(directive: str, message: str) -> None:
    end = "" if directive.endswith("}") else ";"
    with pytest.raises(ConfigError) as caught:
        load_http(server(f"location / {{ {directive}{end} }}"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("inside", "status", "body"),
    [
        ("return 503 '{\"s\":$status}';", 503, b'{"s":503}'),
        ('return 200 "$status";', 200, b"200"),
        ("error_page 503 = @n; return 503;", 200, b"n 200"),
        ("error_page 503 @n; return 503;", 503, b"n 503"),
        ("error_page 503 =418 @n; return 503;", 418, b"n 418"),
        ("set $s $status; return 200 $s;", 200, b"000"),
    ],
)
async def test_the_status_in_the_text_of_a_return(inside: str, status: int, body: bytes) -> None:
    text = f'server {{ listen 127.0.0.1:80; location / {{ {inside} }} location @n {{ return 200 "n $status"; }} }}'
    async with serving(text) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.body) == (status, body)


async def test_the_status_in_a_redirect() -> None:
    async with serving("server { listen 127.0.0.1:80; return 301 /x$status; }") as engine:
        assert (await engine.get("/")).header("location") == b"http://localhost/x301"


@pytest.mark.parametrize("status", [0, 1, 99, 100, 101, 102, 103, 199, 299, 600, 999])
async def test_a_return_with_a_status_that_has_no_name(status: int) -> None:
    """It is sent as it is, with its text, even where HTTP has no body; in three digits, as $status is."""
    text = f"""server {{ listen 127.0.0.1:80; return {status} "it is $status"; }}
        server {{ listen 127.0.0.1:81; location / {{ return {status} "it is $status"; }} }}"""
    async with serving(text) as engine:
        for listening in (0, 1):
            data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", listening)
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %03d \r\n" % status) and body == b"it is %03d" % status
            assert b"\r\nContent-Length: 9" in head and b"Transfer-Encoding" not in head
            assert b"\r\nConnection: %b\r\n" % (b"upgrade" if status == 101 else b"close") in head + b"\r\n"


async def test_498_has_the_page_of_404() -> None:
    async with serving("server { listen 127.0.0.1:80; return 498; }") as engine:
        reply = await engine.get("/")
    assert (reply.status, reply.reason) == (498, b"") and b"<title>404 Not Found</title>" in reply.body
