"""The operations of the Kinesis API, as functions of the model.

Each takes the model and the time of the call, and returns a value or raises a
:class:`~clickstream.infra.local.kinesis.model.errors.KinesisError`. A stream parameter takes a name or an ARN.
"""
