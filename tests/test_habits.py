"""docs/habits.md: all of them, each with a state, commands that show it, and a test that holds it.

The commands of the column "how to see it" are typed here, in a folder with a small site.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.dev.verbs import VERBS
from tests.dev.lsp.editor import editor
from tests.ports import free_port
from tests.process.running import until
from tests.process.test_ending import waiting_client
from tests.typed import Desk, may_not_bind_low

ROOT = Path(__file__).parents[1]
APP = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n    return [b'hello']\n"
SITE = """{main}
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} default_server;
        server_name shop.example;
        location /static {{ alias static/; }}
        location /slow {{ limit_rate 1; }}
        location / {{ include uwsgi_params; uwsgi_pass unix:app.sock; }}
    }}
}}
"""



def site(port: int) -> str:
    return SITE.format(main="user root;" * (os.geteuid() == 0), port=port)


Row = list[str]
Show = Callable[[Desk], None]
SHOWN: dict[int, Show] = {}


def rows() -> list[Row]:
    lines = (ROOT / "docs" / "habits.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0].isdigit()]


def commands(row: Row) -> list[str]:
    return [word for word in re.findall(r"`([^`]+)`", row[3]) if word.split()[0] == "gateway"]


def habit(number: int) -> Callable[[Show], Show]:
    def keep(show: Show) -> Show:
        SHOWN[number] = show
        return show

    return keep


def test_there_are_twenty_five() -> None:
    assert [int(row[0]) for row in rows()] == list(range(1, 26))


def test_each_says_where_it_stands() -> None:
    for number, habit, state, see, held in rows():
        assert habit, number
        assert state == "yes" or state == "no" or state.startswith("partly: "), number
        assert (see == "") == (state == "no"), number
        assert (held == "none") == (state == "no"), number


def test_what_holds_it_is_there() -> None:
    for number, *_, held in rows():
        if held == "none":
            continue
        file, _, name = held.partition("::")
        path = ROOT / file
        assert path.exists(), number
        if name:
            assert re.search(rf"^(async )?def {name}\(", path.read_text(), re.M), number


def test_each_has_commands() -> None:
    for row in rows():
        assert bool(commands(row)) == (row[2] != "no"), row[0]
        assert (int(row[0]) in SHOWN) == (row[2] != "no"), row[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("uwsgi_params", "mime.types"):
        (tmp_path / name).write_text((ROOT / "gateway" / "conf" / name).read_text())
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("a file")
    made = Desk(tmp_path)
    made.write("app.py", APP)
    made.write("nginx.conf", site(free_port()))
    made.write("wrong.conf", "events {}\nhttp {\n    server {\n        lisen 80;\n        server_nam x;\n    }\n}\n")
    made.write("unended.conf", "events {}\nhttp {\n    server {\n        listen 80\n        server_name x;\n    }\n}\n")
    return made


@pytest.mark.parametrize("row", [row for row in rows() if row[2] != "no"], ids=lambda row: row[0])
def test_what_is_typed_shows_it(row: Row, desk: Desk) -> None:
    SHOWN[int(row[0])](desk)
    assert desk.typed == commands(row), "the commands of docs/habits.md, in their order"


def of_uwsgi() -> None:
    pytest.importorskip("pyuwsgi")


@habit(1)
def first_word(desk: Desk) -> None:
    (desk.folder / "nginx.conf").unlink()
    said = desk.run("gateway")
    assert said.code == 2 and len(said.lines) == 3
    assert "gateway run app:app" in said.text and "gateway -c /path/to/nginx.conf" in said.text


@habit(2)
def start_block(desk: Desk) -> None:
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'") as server:
        assert re.search(r"gateway \S+ {2}ready in \d+ ms", server.said)
        assert re.search(r"http://127\.0\.0\.1:\d+/ +→ shop\.example", server.said)
        assert "app.sock" in server.said


@habit(3)
def low_port(desk: Desk) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("here everybody may have port 80")
    said = desk.run("gateway serve --port 80", before=may_not_bind_low)
    assert said.code == 1 and said.text.count("\n") == 1
    assert "ports below 1024" in said.text and "--port 8080" in said.text


@habit(4)
def without_compiler(desk: Desk) -> None:
    (desk.folder / "bin").mkdir()
    with desk.serving("gateway serve static", PATH=str(desk.folder / "bin")) as server:
        assert server.get("/a.txt") == (200, "a file")


@habit(5)
def a_wrong_word(desk: Desk) -> None:
    said = desk.run("gateway -t -c wrong.conf", terminal=True)
    first, source, caret, guess, places, code = said.lines[:6]
    # The error log is the terminal here, so nginx's line has its date.
    assert re.fullmatch(rf'.* \[emerg\] .*unknown directive "lisen" in {desk.folder}/wrong\.conf:4', first)
    assert source.endswith("|         lisen 80;") and caret.strip().endswith("^^^^^")
    assert guess == '  did you mean "listen"?' and places.startswith("  allowed in: server")
    assert code == "  GW001: gateway help GW001 says more"
    assert desk.run("gateway help GW001").lines[0] == "GW001 unknown-directive"


@habit(6)
def all_mistakes(desk: Desk) -> None:
    said = desk.run("gateway -t -c wrong.conf", terminal=True)
    assert said.code == 1 and '"lisen"' in said.text and '"server_nam"' in said.text
    found = desk.run("gateway check -c nginx.conf --json")
    assert found.code == 1 and {each["id"] for each in found.json} >= {"GW101"}
    assert desk.run("gateway check -c nginx.conf --sarif").json["version"] == "2.1.0"
    assert desk.run("gateway check --only nothing").code == 2


@habit(7)
def a_missing_semicolon(desk: Desk) -> None:
    said = desk.run("gateway -t -c unended.conf", terminal=True)
    assert re.search(r'4 \|         listen 80\n.*\^ ";" is missing here', said.text)


@habit(8)
def a_cause(desk: Desk) -> None:
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'") as server:
        server.port = int(server.until(r"http://127\.0\.0\.1:(\d+)/")[1])
        for _ in range(3):
            assert server.get("/")[0] == 502
        log = desk.folder / "error.log"
        until(lambda: "cause: " in log.read_text(), "the cause", 30)
        assert log.read_text().count("cause: ") == 1
        assert log.read_text().count("(2: No such file or directory) while connecting to upstream") == 3


@habit(9)
def no_traceback(desk: Desk) -> None:
    for command in ("gateway serve nowhere", "gateway check -c nowhere.conf", "gateway run --prot 1"):
        said = desk.run(command)
        # One line, and below nginx's own the code.
        assert said.code in (1, 2) and len(said.lines) - said.text.count("\n  GW008: ") == 1, said.text
        assert "Traceback" not in said.text


@habit(10)
def colour(desk: Desk) -> None:
    coloured = desk.run("gateway --color always -t -c wrong.conf", terminal=True, NO_COLOR="")
    assert "\x1b[" in coloured.text
    assert "\x1b[" not in desk.run("gateway --color never -t -c wrong.conf", terminal=True, NO_COLOR="").text


@habit(11)
def a_line_a_request(desk: Desk) -> None:
    of_uwsgi()
    with desk.serving("gateway run") as server:
        assert server.get("/hello") == (200, "hello")
        server.until(r"\d\d:\d\d:\d\d GET /hello 200 \d+ ms  / (?:→|->) app")
        assert server.get("/__gateway/")[0] == 200
        server.until(r"GET /__gateway/ 200 \d+ ms  /__gateway/")


@habit(12)
def what_is_waited_for(desk: Desk) -> None:
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'") as server:
        port = int(server.until(r"http://127\.0\.0\.1:(\d+)/")[1])
        with waiting_client(port) as client:
            server.port = port
            assert server.get("/static/a.txt")[0] == 200  # the worker has both connections
            with desk.going("gateway -c nginx.conf -s quit") as quit_:
                quit_.until("waiting for 1 connection in 1 worker to end")
                client.close()
                assert quit_.ended() == 0
        assert server.ended() == 0
    # Nobody issues certificates there.
    issuer = "acme_issuer ca { uri https://127.0.0.1:1/dir; state_path off; } server { listen 127.0.0.1:"
    issuer += f"{free_port()}; server_name a.example; acme_certificate ca; }}"
    desk.write("nginx.conf", site(free_port()).replace("access_log off;", f"access_log off; {issuer}"))
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'") as server:
        server.until(r"a\.example: none yet; ca \(https://127\.0\.0\.1:1/dir\) is asked for it, by http-01")
        server.until(r"waited for since \d+ s; the last try failed: .*Connection refused; next try in \d+ s")


@habit(13)
def tables_as_json(desk: Desk) -> None:
    desk.write("nginx.conf", site(8080))
    steps = desk.run("gateway explain -c nginx.conf http://shop.example:8080/static/a.txt --json").json
    assert "steps" in steps
    assert isinstance(desk.run("gateway check -c nginx.conf --json").json, list)
    assert {"name", "state", "places"} <= set(desk.run("gateway compat -c nginx.conf --json").json[0])
    with desk.going("gateway serve static --json") as server:
        assert json.loads(server.until(r"\{.*\}\n")[0])["listens"][0]["servers"] == ["localhost"]


@habit(14)
def dashboard(desk: Desk) -> None:
    of_uwsgi()
    with desk.serving("gateway run") as server:
        assert server.get("/hello")[0] == 200
        status, page = server.get("/__gateway/")
        assert status == 200 and "<h2>workers</h2>" in page
        until(lambda: "/hello" in server.get("/__gateway/requests")[1], "the request in the list", 30)
        page = server.get("/__gateway/configuration")[1]
        assert "server localhost (default)" in page and "uwsgi_pass" in page
    said = desk.run("gateway tree -c nginx.conf")
    assert said.code == 0 and "server shop.example (default)" in said.text
    assert re.search(r"/static +nginx\.conf:10  alias static/", said.text)


@habit(15)
def without_javascript(desk: Desk) -> None:
    of_uwsgi()
    with desk.serving("gateway run") as server:
        assert server.get("/hello")[0] == 200

        def rows_without_scripts() -> bool:
            page = re.sub(r"<script.*?</script>", "", server.get("/__gateway/requests")[1], flags=re.S)
            return re.search(r"<tr.*/hello.*</tr>", page, re.S) is not None

        until(rows_without_scripts, "the request in a table", 30)
        assert server.get("/__gateway/data.csv")[1].startswith("table,name,figure,value\n")
    assert desk.run("gateway check -c nginx.conf --csv").lines[0] == "id,name,severity,file,line,text"


@habit(16)
def the_way(desk: Desk) -> None:
    desk.write("nginx.conf", site(8080))
    said = desk.run("gateway explain -c nginx.conf http://shop.example:8080/static/a.txt")
    assert said.code == 0 and "location /static" in said.text and "nginx.conf:10" in said.text


@habit(17)
def top(desk: Desk) -> None:
    desk.write("nginx.conf", site(free_port()).replace("location /slow", "location /gw/ { dashboard; } location /slow"))
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'"):
        said = desk.run("gateway top -c nginx.conf --once")
        assert said.code == 0 and re.search(r"requests \d+\.\d/s, \d+ in all", said.text)
        with desk.going("gateway top -c nginx.conf") as screen:
            screen.until("q quit, p pause")
            screen.press("q")
            assert screen.ended() == 0


@habit(18)
def keys(desk: Desk) -> None:
    with desk.serving("gateway serve static") as server:
        server.press("?")
        server.until("keys: r start again, o open in the browser")
        server.press("q")
        assert server.ended() == 0


@habit(19)
def nginxs_options(desk: Desk) -> None:
    said = desk.run("gateway -h")
    assert said.code == 0
    options = ("-?,-h", "-t ", "-T ", "-q ", "-s signal", "-p prefix", "-e filename", "-c filename", "-g directives")
    for option in options:
        assert option in said.text
    assert "run app:app" not in said.text
    assert len(desk.run("gateway --help").text) > 0


@habit(20)
def help_fits(desk: Desk) -> None:
    said = desk.run("gateway --help")
    assert len(said.lines) <= 44 and "Examples:" in said.text
    wrong = desk.run("gateway runn")
    assert wrong.code == 2 and len(wrong.lines) == 1 and 'did you mean "run"?' in wrong.text


@habit(21)
def completions(desk: Desk) -> None:
    for command in ("gateway completion bash", "gateway completion zsh", "gateway completion fish", "gateway man"):
        text = desk.run(command).text
        assert all(verb in text for verb in VERBS), command
    desk.typed.append("gateway lsp")
    with editor(desk.folder) as vi:
        vi.open("nginx.conf", site(8080).replace("uwsgi_pass", "uwsgi_paas"))
        assert 'did you mean "uwsgi_pass"?' in vi.told("nginx.conf")[0]["message"]


@habit(22)
def dump(desk: Desk) -> None:
    said = desk.run("gateway -T -p . -c nginx.conf")
    assert said.code == 0
    assert [name.rpartition("/")[2] for name in re.findall(r"# configuration file (\S+):", said.text)] == [
        "nginx.conf", "uwsgi_params",
    ]  # fmt: skip
    desk.write("nginx.conf", site(free_port()).replace("location /slow", "set $token hunter2; location /slow"))
    for command in ("gateway -T -p . -c nginx.conf --anonymize", "gateway compat -c nginx.conf --anonymize names"):
        disguised = desk.run(command).text
        assert "set $token ****;" in disguised and "hunter2" not in disguised


@habit(23)
def reload(desk: Desk) -> None:
    with desk.serving("gateway -c nginx.conf -g 'daemon off;'"):
        good = (desk.folder / "nginx.conf").read_text()
        assert desk.run("gateway -c nginx.conf -s reload").code == 0
        desk.write("nginx.conf", good.replace("shop.example", "shop.example; nonsense"))
        refused = desk.run("gateway -c nginx.conf -s reload")
        assert refused.code == 1 and 'unknown directive "nonsense"' in refused.text


@habit(24)
def cause_on_the_page(desk: Desk) -> None:
    with desk.serving("gateway serve static") as server:
        status, page = server.get("/b.txt", "text/html")
        assert status == 404 and f"{desk.folder}/static/b.txt" in page


@habit(25)
def what_is_not_done(desk: Desk) -> None:
    desk.write("nginx.conf", "events { use kqueue; }\nhttp { server { location / { content_by_lua_block {}; } } }\n")
    said = desk.run("gateway compat -c nginx.conf")
    assert said.code == 1 and re.search(r"refused +content_by_lua_block: Lua is not run", said.text)
