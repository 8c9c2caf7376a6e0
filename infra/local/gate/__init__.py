"""The gate in front of the embedded AWS: it refuses what AWS refuses, by permissions, injected faults and limits.

Only the standard library is used here: the gate also runs inside ministack's own environment.
"""
