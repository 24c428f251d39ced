"""What a report is drawn from: words for figures, text made harmless, pictures, differences side by side.

Everything here is a pure function of a verdict's evidence, read back from JSON: a report can be drawn again from its
report.json alone. Not covered: computing figures (`prove.evidence`), the sentences (`templates/story.txt.j2`,
`templates/checks.txt.j2`).
"""
