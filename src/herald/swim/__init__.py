"""Gossip (SWIM with Lifeguard) as HashiCorp's memberlist speaks it: which nodes are alive."""
