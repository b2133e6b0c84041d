"""The operator's view of the models: what is allowed, what is on disk, what a start here would be able to do."""
