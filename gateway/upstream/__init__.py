"""Peers, tries, the exchange with an upstream."""
