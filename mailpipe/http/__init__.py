"""HTTP/1.1 as a client: what calls to AWS and webhooks go over."""
