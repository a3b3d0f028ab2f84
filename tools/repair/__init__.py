"""The repair of what a killed DVC, a full disk or a rotten one leaves behind."""
