"""More than one gateway: what their zones know together, kept in a store that exists, Valkey or Redis.

    address  the URL of `zone_sync_store`                   sync       the task of one worker, round after round
    store    a connection, each call bounded in time        rates      limit_req: what each node let in
    counts   limit_conn: how many each node has                 maps       entries that every node knows
    servers  what the API changed of an upstream             tickets    keys of TLS tickets
    purges   what is to be dropped from a cache             exact    limit_req that asks for each request
    causes   what is wrong with the store                   certificates  by ACME: one order for all

Nothing on a request's way but `exact` waits for the store. A zone decides by what is in its memory; one worker of the
machine takes what changed to the store, every 100 ms, and brings back what the others did. While the store is gone,
each node goes on alone.
"""
