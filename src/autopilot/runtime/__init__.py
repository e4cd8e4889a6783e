"""The source of truth: the ledger and everything derived from it. The only writer of the ledger's tables."""
