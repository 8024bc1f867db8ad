"""Networks, data sets and training for lightcam-edge (host side)."""
