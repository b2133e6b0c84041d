"""Which network addresses the service may connect to."""
