"""Where the objects come from and where statuses, claims and events go: one interface, several stores.

`store.py` is the interface and its values; `memory.py` is for tests; `directory.py` is a folder of manifests, with
`settling.py` (when a changed file is believed), `catalogue.py` (files to objects, the last good version kept),
`manifest_file.py` (one file read) and the records beside the manifests: `status_file.py`, `claim_file.py`,
`first_seen.py`, `event_log.py`, and `folder_lock.py` (who runs on the folder). Stores decide nothing about addresses.
"""
