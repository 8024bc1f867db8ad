"""Keras to TFLite with everything the device needs in one file (host side)."""
