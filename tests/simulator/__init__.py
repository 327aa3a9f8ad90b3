"""A deterministic network: the sans-I/O core under a virtual clock and a bad link, all drawn from one seed.

    clock.py       virtual time: a heap of what is to happen
    network.py     nodes that delay, lose, duplicate, reorder, corrupt and queue datagrams, in a chain
    nat.py         a NAT, whose public address may change
    route.py       the way from one host to the other: which nodes, in which order
    host.py        an endpoint and its connections: what the I/O thread does, without threads
    workload.py    what the applications on both sides do, and whether the bytes are right
    checks.py      what must hold at every moment of a run
    noise.py       forged datagrams
    scenario.py    the settings of one run, and the command that shows it
    families.py    from a seed to a scenario: faults of one kind, or of all kinds
    found.py       scenarios that once failed
    world.py       both hosts, the network between them, and what happens to them
    simulation.py  the run: connections from the first datagram to the last, and what must have happened in the end

A run that fails says how to replay it: `python -m tests.simulator --seed 17 --loss 0.3`; many runs are made by
`python -m tests.simulator --family any --seeds 1000`.
"""
