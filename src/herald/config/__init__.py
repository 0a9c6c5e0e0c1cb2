"""Custom resources → meaning: pools, advertisements, peers, and what is wrong with them, object by object."""
