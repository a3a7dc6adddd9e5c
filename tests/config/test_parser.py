"""parser: statements, includes, and the error that stopped the reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.errors import ConfigError, Where
from gateway.config.parser import MAX_DEPTH, Statement, expand, load, parse
from tests.config.cases import GOOD, outline

CONF = Path(__file__).parents[2] / "gateway" / "conf"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good(path: Path) -> None:
    source = load(str(path))
    assert source.error is None
    assert outline(source.statements) == path.with_suffix(".txt").read_text("utf-8")


def names(statements: list[Statement]) -> list[str]:
    return [statement.name for statement in statements[:]]


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "main")


def test_block_knows_its_end() -> None:
    [events] = parse("events {\n  a;\n  }").statements
    assert events.end == Where("nginx.conf", 3, 3)
    [a] = events.block or []
    assert a.block is None and a.end is None


def test_error_is_carried_by_the_tree_and_by_open_blocks() -> None:
    source = parse("a;\nb {\n c;\n d {\n e")
    assert str(source.error) == 'unexpected end of file, expecting ";" or "}" in nginx.conf:5'
    assert names(source.statements) == ["a", "b"]
    b = source.statements[1].block
    assert b is not None
    assert names(b) == ["c", "d"]
    assert [statement.name for statement in b.readable()] == ["c", "d"]
    assert source.statements.error is b.error is source.error
    seen = []
    with pytest.raises(ConfigError) as caught:
        for statement in b:
            seen.append(statement.name)
            for inner in statement.block or ():
                seen.append(inner.name)
    assert seen == ["c", "d"]
    assert caught.value is source.error
    assert source.error and source.error.source is source


def test_main_file_that_is_not_there(tmp_path: Path) -> None:
    source = load("conf/none.conf", prefix=f"{tmp_path}/")
    assert str(source.error) == f'open() "{tmp_path}/conf/none.conf" failed (2: No such file or directory)'
    assert source.conf_prefix == f"{tmp_path}/conf/"


def test_prefix_is_for_the_main_file_and_its_folder_for_includes(tmp_path: Path) -> None:
    write(tmp_path, conf__nginx="include sub/x;", conf__sub__x="include y;", conf__y="found;")
    source = load("conf/nginx", prefix=f"{tmp_path}/")
    assert names(source.statements) == ["found"]
    assert source.statements[0].where.file == f"{tmp_path}/conf/y"
    assert source.included[f"{tmp_path}/conf/y"].file == f"{tmp_path}/conf/sub/x"


def test_dump_has_each_file_once_in_the_order_of_reading(tmp_path: Path) -> None:
    main = write(tmp_path, main="include a;\ninclude a;\ninclude c;", a="include b;\n", b="# b", c="")
    source = load(main)
    assert [Path(name).name for name, _ in source.files] == ["main", "a", "b", "c"]
    assert source.dump().decode() == (
        f"# configuration file {main}:\ninclude a;\ninclude a;\ninclude c;\n"
        f"# configuration file {tmp_path}/a:\ninclude b;\n\n"
        f"# configuration file {tmp_path}/b:\n# b\n"
        f"# configuration file {tmp_path}/c:\n\n"
    )


def test_globs_are_sorted_and_may_find_nothing(tmp_path: Path) -> None:
    write(tmp_path, d__b="b;", d__a="a;", d__B="B;", d___x="hidden;", e__a="ea;")
    (tmp_path / "d" / ".hidden").write_text("hidden;")
    assert [Path(name).name for name in expand(f"{tmp_path}/d/*")] == ["B", "_x", "a", "b"]
    assert [Path(name).name for name in expand(f"{tmp_path}/d/[^_B]")] == ["a", "b"]
    assert [name[-3:] for name in expand(f"{tmp_path}/?/a")] == ["d/a", "e/a"]
    assert parse("include none/*.conf;", conf_prefix=f"{tmp_path}/").error is None


def test_include_cannot_lead_back(tmp_path: Path) -> None:
    main = write(tmp_path, main="include a;", a="x;\ny {\n include *n; }")
    source = load(main)
    assert source.error
    assert str(source.error) == f'"{main}" includes itself in {tmp_path}/a:3'
    assert [str(note.where) for note in source.error.notes] == [f"{main}:1"]


def test_blocks_cannot_be_nested_without_end() -> None:
    depth = MAX_DEPTH + 1
    source = parse("a{" * depth + "}" * depth)
    assert source.error and source.error.message.startswith(f"more than {MAX_DEPTH} blocks")
    assert parse("a{" * MAX_DEPTH + "}" * MAX_DEPTH).error is None


def test_globals_come_first_and_have_their_own_place(tmp_path: Path) -> None:
    main = write(tmp_path, main="user a;", g="pid b;")
    source = load(main, globals_text="daemon off; include g;")
    assert names(source.statements) == ["daemon", "pid", "user"]
    assert str(ConfigError("x", source.statements[0].where)) == "x in command line"
    assert [Path(name).name for name, _ in source.files] == ["g", "main"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {", "block directives are not supported in -g option in command line"),
        ("}", 'unexpected "}" in command line'),
        ("a", 'unexpected end of parameter, expecting ";" in command line'),
    ],
)
def test_errors_of_globals(text: str, message: str) -> None:
    assert str(parse("x;", globals_text=text).error) == message


@given(st.text(alphabet="ab{};\"'#\\$\n \0*[/.é") | st.text(), st.sampled_from(["", "types{", "include "]))
def test_never_raises(text: str, before: str) -> None:
    data = (before + text).encode("utf-8", "replace")
    source = parse(data, conf_prefix="/nonexistent/")
    if source.error is not None:
        assert isinstance(source.error, ConfigError)


def test_own_files_are_good() -> None:
    for path in CONF.iterdir():
        if path.suffix == ".html":  # the dashboard's page
            continue
        assert load(str(path)).error is None, path
    source = load(str(CONF / "nginx.conf"))
    assert [Path(name).name for name, _ in source.files] == ["nginx.conf", "mime.types"]


def test_each_extension_has_one_type() -> None:
    [types] = load(str(CONF / "mime.types")).statements
    extensions = [extension for line in types.block or [] for extension in line.args]
    assert len(extensions) == len(set(extensions))


@pytest.mark.skipif(not Path("/etc/nginx/nginx.conf").exists(), reason="Debian's nginx is not installed")
def test_debians_configuration() -> None:
    source = load("/etc/nginx/nginx.conf")
    assert source.error is None
    assert "/etc/nginx/mime.types" in dict(source.files)


def mended(tmp_path: Path, text: str) -> tuple[list[str], list[str]]:
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    source = load(str(file), mend=True)
    assert source.mistakes is not None
    said = [str(error).replace(f"{tmp_path}/", "") for error in source.mistakes]
    return said + [str(source.error).replace(f"{tmp_path}/", "")] * (source.error is not None), [
        " ".join((statement.name, *statement.args)) for statement in source.statements.readable()
    ]


@pytest.mark.parametrize(
    ("text", "mistakes", "statements"),
    [
        ("a { b 1 }\nc;", ['unexpected "}" in nginx.conf:1'], ["a", "c"]),
        ("a;;\nb;", ['unexpected ";" in nginx.conf:1'], ["a", "b"]),
        ("a;\n}\nb;", ['unexpected "}" in nginx.conf:2'], ["a", "b"]),
        ('a "x"y;\nb;', ['unexpected "y" in nginx.conf:1'], ["a x y", "b"]),
        ("include none;\nb;", ['open() "none" failed (2: No such file or directory) in nginx.conf:1'], ["b"]),
        ("include nginx.conf;\nb;", ['"nginx.conf" includes itself in nginx.conf:1'], ["b"]),
        ("a;\nb {", ['unexpected end of file, expecting "}" in nginx.conf:2'], ["a", "b"]),
        ("a; b { }", [], ["a", "b"]),
    ],
)
def test_reading_on_after_mistakes(tmp_path: Path, text: str, mistakes: list[str], statements: list[str]) -> None:
    assert mended(tmp_path, text) == (mistakes, statements)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("include a { }", 'directive "include" is not terminated by ";"'),
        ("include;", 'invalid number of arguments in "include" directive'),
        ("x { include a b; }", 'invalid number of arguments in "include" directive'),
    ],
)
def test_an_include_that_is_none(text: str, message: str) -> None:
    error = parse(text).error
    assert error is not None and error.message == message
