"""ingest: validates e-mail that comes over REST and enqueues it."""
