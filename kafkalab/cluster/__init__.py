"""Real brokers behind one interface: containers, embedded processes or somebody else's cluster."""
