"""notifier: posts signed webhooks to the customers' endpoints."""
