"""What is wrong with this board, and the command that mends it.

Nothing here imports NumPy, OpenCV or a TFLite runtime into its own process:
people come here when one of them does not load.
"""
