"""The API server of a cluster as a store.

`kubeconfig.py` finds where it is and who we are, `credentials.py` keeps tokens fresh, `client.py` makes single requests
and streams. Reading: `watch_machine.py` is the list+watch protocol without I/O, `reflector.py` its shell, `wire.py`
makes objects of what arrives, `view.py` finds what is really different, `store.py` is the `Store`. Nothing outside
this package sees HTTP or an error of the HTTP library.
"""
