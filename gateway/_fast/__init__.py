"""What is written in Cython itself, and why. PRODUCTS.md beside it lists all that is compiled, also in place elsewhere.

µs per call before and after, measured by bench/micro.py (least of many runs on one core of a busy machine):

| module | replaces | why | before | after |
|---|---|---|---|---|
| http1, header_line | h11 on a head of curl / a browser | nginx's grammar; each request pays | 39 / 73 | 0.6 / 1.05 |
| http1_response | h11 on an upstream's head of 7 fields | nginx's grammar; each answer pays | 71 | 1.3 |
| http1_request | its plain twin: 2 fields of ours, 7 of the client's | each request to HTTP pays | 7.2 | 0.85 |
| chunked | nothing before it: 16 chunks of 1 KiB | state from byte to byte | | 2.7 |
| uri | its plain source: normalize / escape 30 bytes | bytes in and out | 7.0 / 5.8 | 1.6 / 0.4 |
| files | os.open, fstat, close | each file without open_file_cache pays | 3.0 | 1.7 |
| log_line | join, and re for the escapes: 8 values | each request pays | 3.9 | 0.83 |
| zones | nothing before it: lock, find a record, change a word | limit_req, limit_conn, peers in a zone | | 0.44 |
| peers | the same in Python: pick one of 3 peers and give it back | each request to an upstream pays | 2.3 | 1.3 |

In instructions (callgrind on a worker that serves a file of 1 KiB): head_writer, a response's head put together in
memory that stays, instead of a join: 7,600 → 2,500 a head. cut, parts of bytes without a slice object. request_head is
http1's result, apart from its scanner; build says how all this was compiled.

What each replaces, why, CPU µs a request before → after, and how that was measured:

lane, poller, stream, sender, rate, fibre, waits, timers, watcher
    A Trio task per connection: Trio's round costs more than the rest of a small request. One task drives its own
    epoll; a request that must wait is a fibre, a coroutine without a task. Fixed answer, 32 connections, medians of 3
    rounds on a machine with other work on it: 36.4 → 11.4 by a callback, 12.0 by a fibre per request, 14.3 by one that
    waits, 13.6 by a fibre per connection, 55 by a fibre that goes on as a Trio task; nginx's `return` 12.0 in the same
    run. `python bench/lane.py`. A watcher is a handler that is a C call: an exchange needs no fibre to wait for its
    upstream, which takes 6,600 of 79,400 instructions off a request on a kept connection (bench/instructions.py).

http2_reader, hpack, huffman, hpack_tables, http2_head, http2_writer (with http/h2_connection, h2_stream, h2_head)
    The hpack package, and frames, streams and connections as plain Python objects: a file of 1 KiB over cleartext, 16
    connections of 10 streams each (`h2load -c 16 -m 10`), took 35 us of the worker and takes 11, a `return` 5; nginx
    17 and 12 in the same runs, since it sends each answer by a call of its own.

datagrams, file_slice
    Not for speed alone, so that there is nothing before them to measure against. file_slice is what sender sends by
    sendfile.
    datagrams is a source of events in the lane, as only C can be, and says where a datagram was sent to.

openssl, x509, ocsp, tls_context, tls_wire, tls_engine, tls_callbacks, tls
    Python's ssl over memory: it has no way to stapling, ticket keys, early data, shared sessions, and others. tls is a
    subclass of Stream in C, whose methods the lane calls. `python bench/load.py --only tls` is the measure.
"""
