"""Facts of the cluster as frozen values: services, endpoints, nodes, namespaces, secrets, selectors.

Each core kind is typed once, as the narrow struct that is decoded from the wire: only the fields that decide something
are kept. Nothing here waits, logs or reads a clock.
"""
