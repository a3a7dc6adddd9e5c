# cython: language_level=3
"""The file that the products of gateway.together lie in; it has nothing of its own."""
