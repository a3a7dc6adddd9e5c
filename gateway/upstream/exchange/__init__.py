"""How one request is passed on: try after try, the answer's way to the client, tunnels, kept connections."""
