"""A reverse proxy in front of the local cloud: faults per operation, and who called what.

It knows AWS's protocols and nothing of mailpipe. Off unless asked: the services reach the cloud
directly, or through it when their AWS_ENDPOINT_URL says so.
"""
