"""The live page of a stream: what its cameras see, in a browser."""
