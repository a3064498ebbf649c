"""Text and a voice in, audio out; audio in, a mastered track out. Knows no database, no queue, no farm."""
