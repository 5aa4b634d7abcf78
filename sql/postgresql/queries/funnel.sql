-- How many sessions went through some steps in their order, and where the others stopped.
--
-- A step is met by an event whose type and what (see the view activity) match its pattern, as in the
-- shell: 'navigation /', 'custom cart:*', 'http POST /api/*'. The event must lie behind the one that
-- met the step before; others may lie between. Steps end at the first that is not given.
--   since=TIME    default: a day before until, or before now
--   until=TIME    up to and including; default: no end
--   app=NAME      one application; default: all
--   step1=PATTERN default: 'navigation *'
--   step2=PATTERN default: 'click *' unless step1 is given
--   step3=PATTERN default: no such step
--   step4=PATTERN default: no such step
--   step5=PATTERN default: no such step
--   step6=PATTERN default: no such step
WITH span AS (
    SELECT coalesce(beacond.time_ms(:since),
                    coalesce(beacond.time_ms(:until), beacond.now_ms()) - 86400000) AS since,
           coalesce(beacond.time_ms(:until), 253402300799999) AS until
),
steps AS (
    SELECT 1 AS step, coalesce(:step1, 'navigation *') AS pattern UNION ALL
    SELECT 2, coalesce(:step2, CASE WHEN :step1 IS NULL THEN 'click *' END) UNION ALL
    SELECT 3, :step3 UNION ALL
    SELECT 4, :step4 UNION ALL
    SELECT 5, :step5 UNION ALL
    SELECT 6, :step6
),
happened AS MATERIALIZED (
    SELECT ts, seq, sessionId AS session, type || ' ' || coalesce(what, '') AS event
      FROM activity
     WHERE ts BETWEEN (SELECT since FROM span) AND (SELECT until FROM span)
       AND (:app IS NULL OR appId = :app)
       AND sessionId IS NOT NULL
),
hits AS MATERIALIZED (
    SELECT step, session, rank() OVER (ORDER BY ts, seq) AS place
      FROM happened CROSS JOIN steps
     WHERE event ~ beacond.pattern(pattern)
),
place1 AS (
    SELECT session, min(place) AS place FROM hits WHERE step = 1 GROUP BY session
),
place2 AS (
    SELECT hits.session, min(hits.place) AS place
      FROM place1 JOIN hits ON hits.session = place1.session AND hits.step = 2
                                   AND hits.place > place1.place
     GROUP BY hits.session
),
place3 AS (
    SELECT hits.session, min(hits.place) AS place
      FROM place2 JOIN hits ON hits.session = place2.session AND hits.step = 3
                                   AND hits.place > place2.place
     GROUP BY hits.session
),
place4 AS (
    SELECT hits.session, min(hits.place) AS place
      FROM place3 JOIN hits ON hits.session = place3.session AND hits.step = 4
                                   AND hits.place > place3.place
     GROUP BY hits.session
),
place5 AS (
    SELECT hits.session, min(hits.place) AS place
      FROM place4 JOIN hits ON hits.session = place4.session AND hits.step = 5
                                   AND hits.place > place4.place
     GROUP BY hits.session
),
place6 AS (
    SELECT hits.session, min(hits.place) AS place
      FROM place5 JOIN hits ON hits.session = place5.session AND hits.step = 6
                                   AND hits.place > place5.place
     GROUP BY hits.session
),
reached AS (
    SELECT 1 AS step, session, place FROM place1 UNION ALL
    SELECT 2 AS step, session, place FROM place2 UNION ALL
    SELECT 3 AS step, session, place FROM place3 UNION ALL
    SELECT 4 AS step, session, place FROM place4 UNION ALL
    SELECT 5 AS step, session, place FROM place5 UNION ALL
    SELECT 6 AS step, session, place FROM place6
),
counted AS (
    SELECT steps.step, steps.pattern, count(reached.session) AS sessions
      FROM steps LEFT JOIN reached ON reached.step = steps.step
     GROUP BY steps.step, steps.pattern
)
SELECT step, pattern, sessions,
       round(100.0 * sessions / nullif(first_value(sessions) OVER (ORDER BY step), 0), 1)
           AS of_first_percent,
       round(100.0 * sessions / nullif(lag(sessions) OVER (ORDER BY step), 0), 1)
           AS of_previous_percent
  FROM counted
 WHERE step < coalesce((SELECT min(step) FROM steps WHERE pattern IS NULL), 7)
 ORDER BY step;
