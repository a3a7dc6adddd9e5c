from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway._fast.errors import TlsError
from gateway.core.tls_objects import ObjectCache, Objects, load_authorities, load_chain, load_key, pair_for
from tests import certificates


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r'cannot load certificate "/nowhere": BIO_new_file\(\) failed'):
        load_chain("/nowhere")
    with pytest.raises(TlsError, match=r'cannot load certificate "/nowhere": BIO_new_file\(\) failed'):
        load_authorities("/nowhere")
    with pytest.raises(TlsError, match=r'cannot load certificate key "/nowhere": BIO_new_file\(\) failed'):
        load_key("/nowhere", ())


def test_a_file_is_loaded_once_and_taken_over_until_it_changes(tmp_path: Path) -> None:
    chain, key = (str(path) for path in certificates.write(tmp_path))
    first = Objects()
    made = first.chain(chain)
    assert first.chain(chain) is made and first.key(key, ()) is first.key(key, (b"unneeded",))
    assert Objects(first).chain(chain) is made
    first.inheritable = False
    assert Objects(first).chain(chain) is not made
    first.inheritable = True
    os.utime(chain, (1, 1))
    assert Objects(first).chain(chain) is not made
    data = "data:" + Path(chain).read_text()
    assert Objects(first).chain(data) is not Objects(first).chain(data)
    first.chain(data)
    assert Objects(first).chain(data) is first.chain(data)


def test_the_cache_of_what_variables_name(tmp_path: Path) -> None:
    names = [str(certificates.write(tmp_path, f"{stem}.example", stem=stem)[0]) for stem in "abc"]
    cache = ObjectCache(2, inactive_s=10, valid_s=60)
    made = [cache.chain(name, 0) for name in names]
    assert cache.chain(names[2], 1) is made[2] and cache.chain(names[1], 1) is made[1]
    assert cache.chain(names[0], 1) is not made[0]  # only two are kept
    # believed for a minute, and then as long as the file stays what it was
    cache = ObjectCache(2, inactive_s=1000, valid_s=60)
    kept = cache.chain(names[0], 0)
    os.utime(names[0], (1, 1))
    assert cache.chain(names[0], 60) is kept
    later = cache.chain(names[0], 61)
    assert later is not kept and cache.chain(names[0], 200) is later
    os.unlink(names[0])
    with pytest.raises(TlsError):
        cache.chain(names[0], 300)
    with pytest.raises(TlsError):  # it was forgotten, too
        cache.chain(names[0], 301)


def test_two_files_that_were_replaced_one_after_the_other(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path, "old.example")
    cache = ObjectCache(4, inactive_s=1000, valid_s=1000)
    cache.chain(str(chain), 0)
    certificates.write(tmp_path, "new.example")
    context = certificates.client()
    pair_for(cache, (str(chain), str(key)), (), 1, lambda c, k: _use(context, c, k))
    assert cache.chain(str(chain), 2).certificate().matches(b"new.example")
    _, other = certificates.write(tmp_path, "other.example", stem="other")
    with pytest.raises(TlsError, match="key values mismatch"):
        pair_for(None, (str(chain), str(other)), (), 1, lambda c, k: _use(context, c, k))


def _use(context: object, chain: object, key: object) -> None:
    from gateway._fast.tls_engine import Engine

    Engine(context, -1).use(chain, key)  # type: ignore[arg-type]
