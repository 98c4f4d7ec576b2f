"""The command line, `python -m mailpipe`: what people and their scripts do with a deployment."""
