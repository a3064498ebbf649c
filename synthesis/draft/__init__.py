"""The draft voice: espeak-ng in a process of its own. Timing and plumbing, not a voice to publish."""
