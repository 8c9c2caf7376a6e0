"""AWS's documented limits, and how AWS words a refusal.

Pure, and only the standard library is used: the gate also runs inside ministack's own environment.
"""
