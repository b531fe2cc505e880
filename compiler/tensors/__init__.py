"""What all tensor code shares: named axes, noise, blanks, precision."""
