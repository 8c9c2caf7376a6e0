"""One function per operation of the API: members of the request in, the operation called, members of the answer out."""
