"""Live localization: cameras in, steady boxes and events out."""
