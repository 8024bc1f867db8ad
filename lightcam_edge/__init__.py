"""Find objects on small boards with models trained from image-level labels only."""

__version__ = "0.1.0"
