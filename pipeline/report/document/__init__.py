"""A document: its blocks and sections, and what writes it as HTML, as PDF and as Markdown."""
