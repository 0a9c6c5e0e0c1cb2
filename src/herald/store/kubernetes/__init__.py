"""The API server of a cluster as a store.

`kubeconfig.py` finds where it is and who we are, `credentials.py` keeps tokens fresh, `client.py` makes single requests
and streams. Reading: `watch_machine.py` is the list+watch protocol without I/O (`watch_events.py`: its values),
`reflector.py` its shell, `sources.py` says what is read where, `wire.py` makes objects of what arrives, `view.py`
finds what is really different, `store.py` is the `Store`, `pods.py` finds other speakers. Writing: `writer.py`.
Nothing outside this package sees HTTP or an error of the HTTP library.
"""
