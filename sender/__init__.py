"""sender: takes e-mail off the queues and hands it to SES, at the account's rate."""
