"""What processes of one service tell each other; none of it counts, and all may be away."""
