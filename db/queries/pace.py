"""How fast voices speak and engines render, from the takes there are: what estimates are made of."""

from __future__ import annotations

import sqlalchemy as sa

from db.records import Pace

NEWEST = 50_000
"""Takes looked at: the last nights, not the engine of last year."""

PACE = sa.text("""
WITH newest AS (
    SELECT t.line_id, t.digest, t.voice, t.samples::double precision / t.sample_rate AS audio_s, t.render_ms
    FROM take t ORDER BY t.id DESC LIMIT :newest
), said AS (
    SELECT n.voice, lower(split_part(l.language, '-', 1)) AS language, length(l.spoken) AS chars, n.audio_s, n.render_ms
    FROM newest n JOIN line l ON l.id = n.line_id AND l.digest = n.digest
    WHERE n.audio_s > 0 AND l.spoken <> ''
), rate AS (
    SELECT voice, language, count(*) AS lines, sum(chars) AS chars, sum(audio_s) AS audio_s,
           sum(render_ms) / 1000.0::double precision AS render_s
    FROM said GROUP BY voice, language
)
SELECT r.voice, r.language, r.lines, r.chars / r.audio_s AS chars_per_s, r.render_s / r.audio_s AS render_per_audio,
       sqrt(sum(power(s.audio_s - s.chars * r.audio_s / r.chars, 2)) / r.lines) / (r.audio_s / r.lines) AS spread
FROM rate r JOIN said s USING (voice, language)
GROUP BY r.voice, r.language, r.lines, r.chars, r.audio_s, r.render_s
ORDER BY r.voice, r.language""")
"""Characters per second of speech for each voice and language, and how far single lines lie from it."""


def paces(conn: sa.Connection, newest: int = NEWEST) -> list[Pace]:
    """What the ``newest`` takes say of each voice in each language; empty before anything was rendered."""
    return [Pace(**row) for row in conn.execute(PACE, {"newest": newest}).mappings()]
