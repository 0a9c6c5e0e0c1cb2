"""Values of the network: addresses, ranges, prefixes, families, interfaces. Knows nothing above itself."""
