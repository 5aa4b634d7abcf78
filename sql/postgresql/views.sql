-- views.sql: the events as tables, one view for each type of event that the plugin's client sends; the
-- same as sql/views.sql has for SQLite.
--
-- beacond makes them beside its tables: psql shows them in the schema beacond. By hand: psql -1 -f
-- views.sql, behind 0001-schema.sql. They cost nothing until they are read; then each event is parsed,
-- so name a window: `ts BETWEEN … AND …` names the partitions and uses the index on the time.
--
-- What a client has sent is anything: a text where an object is meant, or no payload at all. Members
-- that are texts come as they are (an object or array as its JSON), numbers only when they are numbers,
-- what is missing as NULL. Of duplicate members the last counts, and U+FFFD stands for a \u0000 and for
-- half of a surrogate pair, which PostgreSQL's texts don't hold. Names of columns are written without
-- quotes: sessionId is sessionid to PostgreSQL, either way.

-- The text of a JSON value with U+FFFD for the escapes that PostgreSQL refuses: \u0000 and halves of
-- surrogate pairs. Control characters don't stand in JSON: what is not to be touched is hidden behind
-- some.
CREATE OR REPLACE FUNCTION beacond.readable(json text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(
               regexp_replace(
                   regexp_replace(
                       replace(json, '\\', chr(1)),
                       '\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})',
                       chr(2) || '\1' || chr(2) || '\2', 'g'),
                   '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g'),
               chr(2), '\u'), chr(1), '\\')
$$;

-- An event's JSON; NULL where it is none to PostgreSQL. Not in parallel, like field().
CREATE OR REPLACE FUNCTION beacond.as_json(event text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS $$
BEGIN
    RETURN event::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    BEGIN
        RETURN beacond.readable(event)::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
END
$$;

-- A member that is a number, else NULL.
CREATE OR REPLACE FUNCTION beacond.as_number(value jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END
$$;

-- A text without what stands behind the first question mark.
CREATE OR REPLACE FUNCTION beacond.plain(url text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT split_part(url, '?', 1)
$$;

-- A timestamp as text, in UTC, in a form of to_char that begins with the year; and the other way round:
-- a text that says nothing of a zone is in UTC. The year 0 is 1 BC to PostgreSQL.
CREATE OR REPLACE FUNCTION beacond.time_text(ms bigint, form text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ms < -62135596800000
                THEN '0000' || substr(to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC', form), 5)
                ELSE to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC', form) END
$$;
CREATE OR REPLACE FUNCTION beacond.time_ms(text text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET timezone = 'UTC' AS $$
    SELECT round(extract(epoch FROM CASE WHEN text LIKE '0000-%'
                                         THEN ('0001' || substr(text, 5) || ' BC')::timestamptz
                                         ELSE text::timestamptz END) * 1000)::bigint
$$;

-- A pattern as in the shell, with * ? and […], as a regular expression.
CREATE OR REPLACE FUNCTION beacond.pattern(glob text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '^(?:' || replace(replace(regexp_replace(glob, '([.+(){}|^$\\])', '\\\1', 'g'),
                                     '*', '.*'), '?', '.') || ')$'
$$;

-- Every event with its members, and in `what` the line that tells it from others of its type.
CREATE OR REPLACE VIEW beacond.activity AS
SELECT seq,
       ts,       -- its timestamp, milliseconds since 1970
       received, -- likewise, by the clock of the server
       id,
       -- its timestamp in UTC
       beacond.time_text(ts, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
       json ->> 'level' AS level,
       json ->> 'type' AS type,
       json ->> 'appId' AS appId,
       json ->> 'sessionId' AS sessionId,
       json ->> 'userId' AS userId,
       json ->> 'groupId' AS groupId,
       -- where the visitor was, and the same without what stands behind a question mark
       json #>> '{meta,route}' AS route,
       beacond.plain(json #>> '{meta,route}') AS page,
       CASE json ->> 'type'
            WHEN 'navigation' THEN json #>> '{payload,to}'
            WHEN 'http' THEN (json #>> '{payload,method}') || ' ' || (json #>> '{payload,url}')
            WHEN 'click' THEN coalesce(nullif(json #>> '{payload,text}', ''), json #>> '{payload,id}',
                                       json #>> '{payload,xpath}', json #>> '{payload,tag}')
            WHEN 'error' THEN json #>> '{payload,message}'
            WHEN 'console' THEN json #>> '{payload,message}'
            WHEN 'custom' THEN json #>> '{payload,name}'
            WHEN 'session' THEN json #>> '{payload,action}'
       END AS what,
       octet_length(event) AS bytes, -- how long its text is
       json                          -- all of it; NULL when PostgreSQL can't read it
  FROM beacond.events
       -- Once for each event, and not for each column.
       CROSS JOIN LATERAL (SELECT beacond.as_json(event) AS json OFFSET 0) AS parsed;
COMMENT ON VIEW beacond.activity IS 'every event with its members';
COMMENT ON COLUMN beacond.activity.seq IS 'in the order of commits, with gaps';
COMMENT ON COLUMN beacond.activity.ts IS 'the event''s own timestamp, ms since 1970';
COMMENT ON COLUMN beacond.activity.received IS 'when beacond received it, likewise';
COMMENT ON COLUMN beacond.activity.id IS 'as in events';
COMMENT ON COLUMN beacond.activity.time IS 'ts in UTC';
COMMENT ON COLUMN beacond.activity.level IS 'the member';
COMMENT ON COLUMN beacond.activity.type IS 'the member';
COMMENT ON COLUMN beacond.activity.appId IS 'the member';
COMMENT ON COLUMN beacond.activity.sessionId IS 'the member';
COMMENT ON COLUMN beacond.activity.userId IS 'the member';
COMMENT ON COLUMN beacond.activity.groupId IS 'the member';
COMMENT ON COLUMN beacond.activity.route IS 'where the visitor was';
COMMENT ON COLUMN beacond.activity.page IS 'route without what stands behind the question mark';
COMMENT ON COLUMN beacond.activity.what IS 'the line that tells it from others of its type';
COMMENT ON COLUMN beacond.activity.bytes IS 'how long its text is';
COMMENT ON COLUMN beacond.activity.json IS 'all of it; NULL when PostgreSQL can''t read it';

-- Clicks: on which element, and where.
CREATE OR REPLACE VIEW beacond.clicks AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json #>> '{payload,tag}' AS tag,
       json #>> '{payload,text}' AS text,
       json #>> '{payload,id}' AS elementId,
       json #>> '{payload,classes}' AS classes,
       json #>> '{payload,xpath}' AS xpath,
       json #> '{payload,coordinates,x}' AS x,
       json #> '{payload,coordinates,y}' AS y
  FROM beacond.activity
 WHERE type = 'click';
COMMENT ON VIEW beacond.clicks IS 'clicks: on which element, and where';

-- Requests that a page has made. path is the url without what stands behind a question mark. A request
-- has failed when its status is 400 or more, 0, or not there.
CREATE OR REPLACE VIEW beacond.requests AS
SELECT *,
       beacond.plain(url) AS path,
       status IS NULL OR status = 0 OR status >= 400 AS failed
  FROM (SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
               json #>> '{payload,method}' AS method,
               json #>> '{payload,url}' AS url,
               beacond.as_number(json #> '{payload,status}') AS status,
               beacond.as_number(json #> '{payload,duration}') AS duration, -- milliseconds
               json #> '{payload,requestHeaders}' AS requestHeaders,
               json #>> '{payload,requestBody}' AS requestBody,
               beacond.as_number(json #> '{payload,requestSize}') AS requestSize,
               json #>> '{payload,responseBody}' AS responseBody,
               beacond.as_number(json #> '{payload,responseSize}') AS responseSize
          FROM beacond.activity
         WHERE type = 'http') AS calls;
COMMENT ON VIEW beacond.requests IS 'requests that a page has made';
COMMENT ON COLUMN beacond.requests.duration IS 'milliseconds';
COMMENT ON COLUMN beacond.requests.path IS 'url without what stands behind the question mark';
COMMENT ON COLUMN beacond.requests.failed IS 'whether status is 400 or more, 0, or not there';

-- Errors. alike is the message with # for each run of digits, so that "no item 17" and "no item 4" are
-- one error; place is where it was thrown: file, line and column, or the first line of the stack that
-- names a place.
CREATE OR REPLACE VIEW beacond.errors AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       message, stack, filename, lineno, colno, errorType,
       regexp_replace(message, '[0-9]+', '#', 'g') AS alike,
       coalesce(filename || ':' || lineno || ':' || colno,
                -- A stack of one line is its own second line, too.
                CASE WHEN ltrim(CASE WHEN position(E'\n' IN stack) > 0
                                     THEN split_part(stack, E'\n', 2) ELSE stack END) ILIKE 'at %'
                     THEN substr(ltrim(CASE WHEN position(E'\n' IN stack) > 0
                                            THEN split_part(stack, E'\n', 2) ELSE stack END), 4)
                     ELSE split_part(stack, E'\n', 1) END,
                filename) AS place
  FROM (SELECT *,
               json #>> '{payload,message}' AS message,
               json #>> '{payload,stack}' AS stack,
               json #>> '{payload,filename}' AS filename,
               json #>> '{payload,lineno}' AS lineno,
               json #>> '{payload,colno}' AS colno,
               json #>> '{payload,errorType}' AS errorType
          FROM beacond.activity
         WHERE type = 'error') AS thrown;
COMMENT ON VIEW beacond.errors IS 'errors of pages';
COMMENT ON COLUMN beacond.errors.alike IS 'message with # for each run of digits';
COMMENT ON COLUMN beacond.errors.place IS 'where it was thrown: file, line and column, or from the stack';

-- From one page to the next. trigger is 'load' for the first of a visit; duration is how long, in
-- milliseconds, the visitor had been on the page that was left.
CREATE OR REPLACE VIEW beacond.navigations AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route,
       "from", "to", trigger, duration,
       beacond.plain("from") AS leaving, -- both without what stands
       beacond.plain("to") AS page       -- behind a question mark
  FROM (SELECT *,
               json #>> '{payload,from}' AS "from",
               json #>> '{payload,to}' AS "to",
               json #>> '{payload,trigger}' AS trigger,
               beacond.as_number(json #> '{payload,duration}') AS duration
          FROM beacond.activity
         WHERE type = 'navigation') AS moves;
COMMENT ON VIEW beacond.navigations IS 'from one page to the next';
COMMENT ON COLUMN beacond.navigations.trigger IS 'load for the first of a visit';
COMMENT ON COLUMN beacond.navigations.duration IS 'milliseconds on the page that was left';
COMMENT ON COLUMN beacond.navigations.leaving IS '"from" without what stands behind the question mark';
COMMENT ON COLUMN beacond.navigations.page IS '"to" without what stands behind the question mark';

-- What pages have written to the browser's console.
CREATE OR REPLACE VIEW beacond.console AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json #>> '{payload,method}' AS method,
       json #>> '{payload,message}' AS message,
       json #> '{payload,args}' AS args,
       json #> '{payload,groupDepth}' AS groupDepth
  FROM beacond.activity
 WHERE type = 'console';
COMMENT ON VIEW beacond.console IS 'what pages have written to the browser''s console';

-- Events that an application names itself; duration is there for those that measure something.
CREATE OR REPLACE VIEW beacond.customs AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json #>> '{payload,name}' AS name,
       json #> '{payload,data}' AS data,
       beacond.as_number(json #> '{payload,duration}') AS duration -- milliseconds
  FROM beacond.activity
 WHERE type = 'custom';
COMMENT ON VIEW beacond.customs IS 'events that an application names itself';
COMMENT ON COLUMN beacond.customs.duration IS 'milliseconds, of those that measure something';

-- Where sessions start and end, also when a visitor becomes a known user (trigger 'userId-change').
CREATE OR REPLACE VIEW beacond.sessions AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json #>> '{payload,action}' AS action, -- 'start' or 'end'
       json #>> '{payload,trigger}' AS trigger,
       json #>> '{payload,previousUserId}' AS previousUserId,
       json #>> '{payload,newUserId}' AS newUserId
  FROM beacond.activity
 WHERE type = 'session';
COMMENT ON VIEW beacond.sessions IS 'where sessions start and end';
COMMENT ON COLUMN beacond.sessions.action IS 'start or end';
COMMENT ON COLUMN beacond.sessions.trigger IS 'userId-change when a visitor becomes a known user';

-- With what each event was sent. browser, version and system are read from the user agent; what is
-- unknown is NULL.
CREATE OR REPLACE VIEW beacond.clients AS
SELECT seq, ts, time, id, level, type, appId, sessionId, userId, groupId, route, page,
       userAgent, viewport, language,
       CASE mark WHEN 'Edg/' THEN 'Edge' WHEN 'OPR/' THEN 'Opera'
                 WHEN 'SamsungBrowser/' THEN 'Samsung Internet' WHEN 'Firefox/' THEN 'Firefox'
                 WHEN 'FxiOS/' THEN 'Firefox' WHEN 'CriOS/' THEN 'Chrome'
                 WHEN 'HeadlessChrome/' THEN 'Chrome, headless' WHEN 'Chrome/' THEN 'Chrome'
                 WHEN 'Version/' THEN 'Safari' END AS browser,
       substring(split_part(userAgent, mark, 2) FROM '^ *([0-9]{1,9})')::integer AS version,
       CASE WHEN userAgent LIKE '%Android%' THEN 'Android'
            WHEN userAgent LIKE '%iPhone%' OR userAgent LIKE '%iPad%' THEN 'iOS'
            WHEN userAgent LIKE '%Windows%' THEN 'Windows'
            WHEN userAgent LIKE '%Mac OS X%' THEN 'macOS'
            WHEN userAgent LIKE '%CrOS%' THEN 'ChromeOS'
            WHEN userAgent LIKE '%Linux%' THEN 'Linux' END AS system
  FROM (SELECT *,
               CASE WHEN userAgent LIKE '%Edg/%' THEN 'Edg/'
                    WHEN userAgent LIKE '%OPR/%' THEN 'OPR/'
                    WHEN userAgent LIKE '%SamsungBrowser/%' THEN 'SamsungBrowser/'
                    WHEN userAgent LIKE '%Firefox/%' THEN 'Firefox/'
                    WHEN userAgent LIKE '%FxiOS/%' THEN 'FxiOS/'
                    WHEN userAgent LIKE '%CriOS/%' THEN 'CriOS/'
                    WHEN userAgent LIKE '%HeadlessChrome/%' THEN 'HeadlessChrome/'
                    WHEN userAgent LIKE '%Chrome/%' THEN 'Chrome/'
                    WHEN userAgent LIKE '%Safari/%' AND userAgent LIKE '%Version/%' THEN 'Version/'
               END AS mark
          FROM (SELECT *,
                       json #>> '{meta,userAgent}' AS userAgent,
                       json #>> '{meta,viewport}' AS viewport,
                       json #>> '{meta,language}' AS language
                  FROM beacond.activity) AS sent) AS marked;
COMMENT ON VIEW beacond.clients IS 'with what each event was sent';
COMMENT ON COLUMN beacond.clients.browser IS 'read from userAgent; NULL: unknown';
COMMENT ON COLUMN beacond.clients.version IS 'likewise, the first number';
COMMENT ON COLUMN beacond.clients.system IS 'likewise';
