"""Who may be asked: peers and balancers, in private memory or in a zone, and how their names and states change."""
