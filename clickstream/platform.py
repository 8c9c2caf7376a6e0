"""What the platform keeps for every application."""

from clickstream.needs import Bucket, Queue, Table

#: One item per (application, shard): epoch, position, manifest, progress.
SHARDS = Table("shards", key="application", range_key="shard")
#: Snapshots, and dead letters too large for a message.
STATE = Bucket("state", versioned=True)
#: The model registry.
MODELS = Bucket("models", versioned=True)
DEAD_LETTERS = Queue("dead-letters")
TABLES, BUCKETS, QUEUES = (SHARDS,), (STATE, MODELS), (DEAD_LETTERS,)
NO_MODEL_YET = "else S3 answers 403, not 404, while no model was published"
