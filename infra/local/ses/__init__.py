"""A simulator of Amazon SES's v2 API: as strict as SES, with a log that nobody else writes.

It knows nothing of mailpipe: boto3, the AWS CLI or any other client may talk to it. Proofs judge
the pipeline by its log.
"""
