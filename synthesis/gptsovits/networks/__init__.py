"""Networks and transforms around the two models of a voice: what is heard in a reference, and what a text means."""
