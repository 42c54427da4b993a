"""The numbers that plan a fleet: what a replica, a tile elsewhere and a shared job cost, and what they come to in large numbers."""
