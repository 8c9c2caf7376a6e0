"""The AWS stacks, one file each. Each takes what it needs as keyword arguments and shows what others need as attributes."""
