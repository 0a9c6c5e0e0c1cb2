"""BGP-4: codecs, the session machine without I/O, and a thin asyncio shell (`driver.py`).

Values and codecs: `community`, `family`, `nlri`, `as_path`, `path_attribute`, `capability`, `notification`, `message`.
The machine: `fsm` (the table of states), `negotiation` (two OPENs to one agreement), `adj_rib_out` (what is sent),
`session` (ties them together). Nothing here knows Kubernetes or a configuration file.
"""
