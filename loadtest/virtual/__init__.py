"""Days in seconds: real code in a process whose clocks stand still while it works and jump to the
next timer when it waits, with queues and tables in memory. Nothing else runs on its event loop.
"""
