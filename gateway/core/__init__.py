"""The lane, streams, shared zones, logs, files."""
