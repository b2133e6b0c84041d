"""What the web side and the workers share; imports neither flask nor torch."""
