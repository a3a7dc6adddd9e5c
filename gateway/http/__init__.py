"""One request: connection, plan, phases, variables, locations."""
