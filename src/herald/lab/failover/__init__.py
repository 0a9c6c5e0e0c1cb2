"""Take-over of Layer 2 addresses, measured with real traffic: who is struck, who answers then, and after how long.

stand.py     a bridge with three nodes, a client and somebody who asks raw questions
switch.py    the bridge loses, cuts off, and counts what each node sends (nftables)
watcher.py   a process that asks every 5 ms and remembers the silences; watching.py is its remote control
echo.py      what answers on every node
nodes.py     what every contestant must be able to do; herald_nodes.py, vrrp_nodes.py: the contestants
faults.py    what can happen to a node
trial.py     one fault, from a settled network to a settled network: an `Outcome`
"""
