"""GPT-SoVITS, written anew: text to semantic codes, codes to audio, and what surrounds them."""
