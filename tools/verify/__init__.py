"""The proof that committed results come out again, to the bit."""
