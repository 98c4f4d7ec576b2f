"""Faults on purpose, for the SES simulator and for the proxy in front of the stores.

`faults` decides (pure), `control` is the small HTTP interface to it. Neither knows mailpipe.
"""
