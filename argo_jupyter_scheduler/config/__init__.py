"""What can be configured: one class of traits for each subject, which `ArgoScheduler` inherits."""
