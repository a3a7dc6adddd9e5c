"""What is wrong, by file; test_server.py has an editor that is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.whole_file import unsaved
from gateway.dev.lsp.findings import Search, find, root_of


@pytest.fixture(autouse=True)
def nothing_unsaved() -> Iterator[None]:
    yield
    unsaved.clear()


def test_whose_file_it_is(tmp_path: Path) -> None:
    (tmp_path / "sites" / "deep").mkdir(parents=True)
    main, site, other = tmp_path / "nginx.conf", tmp_path / "sites" / "deep" / "a.conf", tmp_path / "sites" / "b.conf"
    main.write_text("events {} http { include sites/deep/*; }")
    for file in (site, other):
        file.write_text("")
    assert root_of(str(main)) == str(main)
    assert root_of(str(site)) == str(main)
    assert root_of(str(other)) == ""
    assert root_of(str(site), str(main)) == str(main) and root_of(str(other), str(main)) == ""


def test_of_a_text_that_is_in_no_file(tmp_path: Path) -> None:
    file = str(tmp_path / "nginx.conf")
    unsaved[file] = b"events {}\nhttp { server { listen 127.0.0.1:1; liste 2; } }"
    (one,) = find(file, "")[file]
    assert one["code"] == "GW001" and one["range"]["start"] == {"line": 1, "character": 36}


def test_what_has_no_place_stands_on_the_first_line(tmp_path: Path) -> None:
    file = str(tmp_path / "nginx.conf")
    unsaved[file] = b"worker_processes 1; http { }"
    (one,) = find(file, unsaved[file].decode())[file]
    assert one["message"].startswith('no "events" section') and one["range"]["start"]["line"] == 0


def test_a_process_of_its_own(tmp_path: Path) -> None:
    file = str(tmp_path / "nginx.conf")
    search = Search(file, {file: "events {} http { nonsense; }"})
    found = None
    while found is None:
        found = search.more()
    assert [each["code"] for each in found[file]] == ["GW001"]
    assert unsaved == {}
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_one_that_is_not_waited_for() -> None:
    search = Search("/x", {"/x": "events {}"})
    search.end()
    search.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_zone_that_nobody_makes_stands_where_it_is_used(tmp_path: Path) -> None:
    file = str(tmp_path / "nginx.conf")
    unsaved[file] = b"events {}\nhttp { server { listen 127.0.0.1:1;\n    limit_req zone=login;\n} }"
    (one,) = find(file, "")[file]
    assert one["code"] == "GW016" and one["range"]["start"] == {"line": 2, "character": 14}
    site = str(tmp_path / "site.conf")
    unsaved[site] = b"server { listen 127.0.0.1:1; limit_req zone=login burst=5; }"
    assert find(site, unsaved[site].decode())[site] == []
