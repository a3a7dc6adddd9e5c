"""Helpers for development: gateway run, explain, diagnosis; nothing here is needed to serve."""
