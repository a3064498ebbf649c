"""Markup in scripts: one syntax tree, spelled as SSML or as brackets."""
