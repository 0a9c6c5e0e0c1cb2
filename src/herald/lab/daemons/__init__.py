"""Real routing daemons of the lab: one adapter each, from a value that says what the router is to a running daemon."""
