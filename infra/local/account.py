"""The AWS account that the embedded AWS plays."""

ACCOUNT = "000000000000"
