"""Which labels a verdict hangs on, and how few of them settle it."""
