"""The state of an embedded Kinesis, and the values that go in and out. Pure: no clock, no I/O, no chance but from a seed."""
