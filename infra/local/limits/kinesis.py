"""Kinesis's limits. :mod:`clickstream.infra.local.kinesis`, which models the service, enforces them.

Sources: the Kinesis developer guide's "Quotas and limits" and the API reference, as of 2026 (records and calls up to 10 MiB).
"""

from clickstream.infra.local.limits.units import MIB

MAX_PUT_RECORDS = 500
MAX_PUT_BYTES = 10 * MIB
MAX_PARTITION_KEY = 256
MAX_DATA_BYTES = 10 * MIB
MIN_RECORD_KIB = 1024
MAX_RECORD_KIB = 10240

MAX_GET_RECORDS = 10_000
MAX_GET_BYTES = 10 * MIB

SHARD_WRITE_BYTES_PER_S = 1 * MIB
SHARD_WRITE_RECORDS_PER_S = 1000
SHARD_READ_BYTES_PER_S = 2 * MIB
SHARD_READ_CALLS_PER_S = 5
FANOUT_BYTES_PER_S = 2 * MIB

MIN_RETENTION_HOURS = 24
MAX_RETENTION_HOURS = 8760
MAX_CONSUMERS = 20
MAX_TAGS = 50
DEFAULT_SHARDS = 4

SUBSCRIPTION_LIFE_MS = 300_000
SUBSCRIPTION_TAKEOVER_MS = 5_000
