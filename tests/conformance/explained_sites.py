"""Servers as people write them, and new ones made of their parts; each with requests that meet its lines.

`tests/data/explain` has the inside of one server in each file, after what well-known applications ask for, and its
requests in lines that begin with `#?`: method, target, and fields behind bars; one behind `<` is a field of what the
application answers. A line `#--- words` begins another
server, which listens on the same port with these words. `@SITE@` is the folder of files,
`@proxy@` and so on the recording upstream's socket of that protocol. `http.inc` is what stands in the http block
around them, and lines that begin with `#+` what a file wants there besides. Those in `apart` are in no mixture: they
were written to see whether what holds for the others holds for more than them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.conformance.explained import Asked, Case

DATA: Final = Path(__file__).resolve().parents[1] / "data" / "explain"
NAMES: Final = tuple(sorted(file.stem for file in DATA.glob("*.conf")))
APART: Final = tuple(sorted(file.stem for file in DATA.glob("apart/*.conf")))
assert not {*NAMES} & {*APART}, "site() finds them by these names"
_PARAMS: Final = (
    ("QUERY_STRING", "$query_string"), ("REQUEST_METHOD", "$request_method"), ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"), ("REQUEST_URI", "$request_uri"), ("DOCUMENT_URI", "$document_uri"),
    ("DOCUMENT_ROOT", "$document_root"), ("SERVER_PROTOCOL", "$server_protocol"), ("REQUEST_SCHEME", "$scheme"),
    ("HTTPS", "$https if_not_empty"), ("REMOTE_ADDR", "$remote_addr"), ("SERVER_PORT", "$server_port"),
    ("SERVER_NAME", "$server_name"), ("SERVER_ADDR", "$server_addr"),
)  # fmt: skip
_FILES: Final = (
    "index.html", "index.php", "404.html", "50x.html", "robots.txt", "favicon.ico", "wp-login.php",
    "wp-admin/index.php", "wp-content/uploads/a.jpg", "wp-content/uploads/evil.php",
    "wp-content/cache/www.wp.example/hello/index.html",
    "static/app.js", "static/css/site.css", "static/img/logo.png", "media/photo.jpg", "docs/index.html", "docs/y.txt",
    "docs/sub/index.htm", "a b.txt", "ümlaut.txt", ".git/config", ".well-known/acme-challenge/token", "about.html",
    "core/js/app.js", "ocs/v2.php", "remote.php", "cron.php", "public/index.php", "public/css/app.css", "w/index.php",
    "w/load.php", "phpmyadmin/index.php", "phpmyadmin/themes/x.css", "pub/static/app.css", "pub/index.php", "one.html",
    "sites/alice/index.html", "sites/alice/p.txt", "private/report.txt", "lang/index.de.html", "empty.d/keep/x.txt",
)  # fmt: skip
# What may stand several times in a block, and is kept so.
_REPEATED: Final = ("set", "if", "rewrite", "error_page", "add_header", "set_real_ip_from")
_ENDS: Final = ("", "", "", "", "/", "?", "?k=v", "%20x", "/..", "//", ".php", "/index.html")


def make_files(folder: Path) -> None:
    """What the requests find below `site`, and what the configurations include."""
    for name in _FILES:
        file = folder / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n" * 50)
    (folder / "users").write_text("user:{PLAIN}pass\n")
    for protocol in ("fastcgi", "uwsgi", "scgi"):
        script = "$fastcgi_script_name" if protocol == "fastcgi" else "$document_uri"
        lines = [f"{protocol}_param {name} {value};\n" for name, value in (*_PARAMS, ("SCRIPT_NAME", script))]
        (folder / f"{protocol}_params").write_text("".join(lines))


def site(name: str, folder: Path, sockets: dict[str, Path], port: int, listen: str = "") -> Case:
    """One of the files, as it stands."""
    text, requests = _read(name)
    own, _, others = text.partition("\n#---")
    servers = [f"server {{ listen 127.0.0.1:{port}{listen};\n{own}\n}}"]
    for other in others.split("\n#---") if others else ():
        words, _, inside = other.partition("\n")
        servers.append(f"server {{ listen 127.0.0.1:{port}{words}{listen};\n{inside}\n}}")
    around = [_around(), *(line[3:] for line in text.splitlines() if line.startswith("#+ "))]
    return Case(_filled("\n".join([*around, *servers]), folder, sockets), requests)


def mixed(seed: int, folder: Path, sockets: dict[str, Path], port: int, count: int = 25) -> Case:
    """Servers made of parts of several files, and requests of those files and near them: the same for the same seed."""
    rng = random.Random(seed)
    servers = []
    requests: list[Asked] = []
    for number in range(rng.randint(1, 3)):
        taken: dict[str, str] = {}
        for name in rng.sample(NAMES, 4):
            text, asked = _read(name)
            for part in _parts(text.partition("\n#---")[0]):
                if not part.startswith("server_name") and rng.random() < 0.6:
                    taken.setdefault(_key(part), part)
            requests += [replace(each, host=f"s{number}.example") for each in asked]
        parts = list(taken.values())
        if rng.random() < 0.5:
            rng.shuffle(parts)
        names = f"server_name s{number}.example *.s{number}.example;"
        servers.append(f"server {{ listen 127.0.0.1:{port};\n{names}\n" + "\n".join(parts) + "\n}")
    chosen = [_varied(rng, each) for each in rng.sample(requests, count)]
    return Case(_filled(_around() + "\n".join(servers), folder, sockets), chosen)


def _varied(rng: random.Random, asked: Asked) -> Asked:
    """Something near it."""
    target = asked.target
    if rng.random() < 0.3 and "?" not in target:
        target += rng.choice(_ENDS)
    host = asked.host if rng.random() < 0.8 else rng.choice(("a.s0.example", "www.none.example", "S1.EXAMPLE."))
    method = asked.method if rng.random() < 0.9 else rng.choice(("HEAD", "OPTIONS", "DELETE"))
    return replace(asked, method=method, target=target, host=host)


def _read(name: str) -> tuple[str, list[Asked]]:
    file = DATA / ("apart" if name in APART else "") / f"{name}.conf"
    lines = file.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#?"))
    names = [word.rstrip(";") for word in lines[0].split()[1:]]
    default = next(name for name in names if not name.startswith(("~", "*", ".")) or "?" in name)
    requests = []
    for line in lines:
        if line.startswith("#?"):
            asked, *fields = line[2:].strip().split(" | ")
            method, target = asked.split(" ")
            host = default
            if target.startswith("http://"):
                host, _, rest = target.removeprefix("http://").partition("/")
                target = "/" + rest
            answer = tuple(text[1:] for text in fields if text.startswith("<"))
            requests.append(Asked(method, target, host, tuple(f for f in fields if f[:1] != "<"), answer))
    return text, requests


def _around() -> str:
    return (DATA / "http.inc").read_text()


def _parts(text: str) -> Iterator[str]:
    """The statements of the outermost level, in the form that gateway fmt gives them."""
    part: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith((" ", "}")) and part:
            yield "\n".join(part)
            part = []
        part.append(line)
    yield "\n".join(part)


def _key(part: str) -> str:
    """What may stand once only in a server: a location by its name, a directive by its own."""
    words = part.partition("{")[0].split()
    if words and words[0] == "location":
        return " ".join(words).replace("^~ ", "")
    return part if words and words[0] in _REPEATED else words[0]


def _filled(text: str, folder: Path, sockets: dict[str, Path]) -> str:
    text = text.replace("@SITE@", str(folder / "site"))
    for protocol, path in sockets.items():
        text = text.replace(f"@{protocol}@", str(path))
    return text
