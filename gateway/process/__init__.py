"""Cycle, master, worker: the only place with fork and signals."""
