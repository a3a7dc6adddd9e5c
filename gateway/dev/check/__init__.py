"""gateway check: what `-t` accepts and what will still hurt.

A rule (rule.py) looks at the blocks of a configuration that loads (block.py) and names problems; where there is a safe
way out it brings an edit (edits.py), which is shown as a diff and made with --fix. The rules stand by subject in the
files beside this one; command.py runs them.

All that gixy finds in its own test configurations is found here too, but for this, which is meant so:

* `add_trailer_inherit off` beside trailers that get lost, `alias /app$1` for `~ /site(.*)`, `open_file_cache` that is
  not there, `ssl_prefer_server_ciphers on`, `rewrite … break` in an `if`: none of them does other than it says.
* a map without `default` that nothing passes to and no limit counts by; a path in `proxy_pass` that is not the
  location's own: both are how it is done.
* `worker_rlimit_nofile` that is not set: -t warns when worker_connections are more than the system allows.
* what -t refuses already: unknown groups of ssl_ecdh_curve, a path in a proxy_pass in an `if`.
* `(a|ab)+`, which has one way only to read a text; `quic_bpf`, which steers nothing here; the printed form of -T.
"""
