"""The response cache of proxy_, fastcgi_, uwsgi_ and scgi_: answers as files, an index of them in a shared zone.

    cache_directives  what `*_cache…` say            exchange       a request's way: from a file, or asked and kept
    conf              the settings                   entry          one request's answer in a cache (ngx_http_cache_t)
    file_cache        `*_cache_path`                 freshness      how long an answer is good, by its fields
    index             the records in the zone        file_head      what stands before the body in a file
    manager           removes files, one worker      vary           which variant of an answer a request asks for
    loader            finds files at the start       update         an answer on its way into a file
    preconditions     a request's If-… fields, as a miss passes them on
"""
