"""Text to a checked tree."""
