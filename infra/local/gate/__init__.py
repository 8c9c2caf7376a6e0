"""What stands before the embedded AWS and refuses what AWS refuses: limits, permissions and injected faults.

Only the standard library is used here: the gate also runs inside ministack's own environment.
"""
