"""Versions of models on S3: immutable, checked by their digests, and one pointer that says which of them serves."""
