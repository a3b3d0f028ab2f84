"""Whether the committed results come out again, to the bit."""
