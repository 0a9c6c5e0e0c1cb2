"""Whole groups of gossip machines on a virtual clock: how fast they are, what they cost, and whom they wrong."""
