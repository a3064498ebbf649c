"""GPT-SoVITS: voices cloned from a clip of a few seconds. Importing this package loads nothing."""
