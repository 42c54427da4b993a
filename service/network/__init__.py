"""Connections: listening, HTTP/1.1, limits, proxies and the end of the process."""
