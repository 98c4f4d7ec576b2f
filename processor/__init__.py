"""processor: turns SES's events and ours into status, timeline, suppression and webhooks."""
