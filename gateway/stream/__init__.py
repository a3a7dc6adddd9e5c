"""The stream block: sessions, which are connections that are passed on as they are, and their phases."""
