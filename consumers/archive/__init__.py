"""Every event once, as Parquet on S3, partitioned by date and hour."""

NAME = "archive"
