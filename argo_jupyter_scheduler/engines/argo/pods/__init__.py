"""What runs' pods look like: where that comes from, what Kubernetes would refuse, and which of two sources wins."""
