"""One function per operation of the API: read the request's members, call the operation, return the response's members."""
