"""Measures models on this board: latency, memory, energy, and what the board was doing meanwhile."""
