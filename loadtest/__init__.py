"""Proofs from outside: judges of whole runs that know nothing of the code they judge."""
