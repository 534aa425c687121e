"""The catalogue: feeds of offers read as a stream, compared with what was known, and what changed published."""
