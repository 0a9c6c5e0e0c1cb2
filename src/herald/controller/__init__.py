"""The controller: gives Services their addresses and writes what it gave.

    store ──batches──▶ assigner ──steps──▶ writes, events, log lines ──▶ store
                       (no I/O)            (performed in order, each confirmed)

`assigner.py` decides what is to be done next, `step.py` says in which order it is written, `words.py` what is logged,
`pool_status.py` counts; `loop.py` performs it all on a store, `process.py` is the process. Whatever moment the process
is killed at, a new one goes on from statuses and claims without moving a valid address.
"""
