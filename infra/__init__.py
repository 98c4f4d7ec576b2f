"""Infrastructure: the local cloud, and how everything is started on one machine."""
