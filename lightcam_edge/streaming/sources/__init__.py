"""From cameras, networks, files and pipes to the newest frame."""
