"""The CPU that a call to AWS costs: ours against botocore's (`make bench-transport`)."""
