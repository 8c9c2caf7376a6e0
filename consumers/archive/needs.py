"""What the archive needs and offers."""

from clickstream.consumers.archive import NAME
from clickstream.needs import Access, Bucket, Needs

#: Every event once, as Parquet.
ARCHIVE = Bucket("archive")

NEEDS = Needs(
    name=NAME,
    wiring="clickstream.consumers.archive.wiring",
    buckets=(ARCHIVE,),
    worker=Access(
        (ARCHIVE.objects("date=", "GetObject PutObject"),),
        (ARCHIVE.may("ListBucket", "else S3 answers 403, not 404, for a file whose write met another one's and failed"),),
    ),
    starts_with_up=False,
    rank=0,
    comparer="clickstream.load.verdict.subjects:archive",
)
