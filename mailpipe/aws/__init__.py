"""The edge to AWS: the only place where operation names and error codes are spelled."""
