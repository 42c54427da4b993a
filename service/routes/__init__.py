"""Every route of the service, one file per group."""
