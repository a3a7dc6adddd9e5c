"""What the blocks that serve clients (http, stream) have in common: cycle, worker, listening sockets, merging."""
