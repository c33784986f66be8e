"""Centra and Fulfil as they can be observed from outside: WSGI apps with state, a clock and faults.

This package is the oracle of the tests and the newcomer's playground. It imports nothing of Lockstep:
an oracle that shares code with the clients agrees with their mistakes. The same apps run as servers on real
ports (`lockstep sandbox`, the demo, the chaos test) and inside one process under a virtual clock (the simulation).
"""
