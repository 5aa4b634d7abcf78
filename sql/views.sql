-- views.sql: the events as tables, one view for each type of event that the plugin's client sends.
--
--     sqlite3 -readonly beacond.db
--     .read …/sql/views.sql
--
-- Temporary views: they live in the shell's own connection, work on a database opened read-only, also
-- while the daemon runs, and leave its schema as it is. They cost nothing until they are read; then
-- each event is parsed, so name a window: `ts BETWEEN … AND …` uses the index on the time.
--
-- What a client has sent is anything: a text where an object is meant, or no payload at all. Members
-- that are texts come as they are (an object or array as its JSON), numbers only when they are numbers,
-- what is missing as NULL. Of duplicate members the first counts, one whose name is written with escapes
-- is not found, and a text ends at a \u0000.

-- Every event with its members, and in `what` the line that tells it from others of its type.
CREATE TEMP VIEW IF NOT EXISTS activity AS
SELECT seq,
       ts,       -- its timestamp, milliseconds since 1970
       received, -- likewise, by the clock of the server
       id,
       -- its timestamp in UTC
       strftime('%Y-%m-%dT%H:%M:%fZ', ts / 1000.0, 'unixepoch') AS time,
       json_extract(json, '$.level') AS level,
       json_extract(json, '$.type') AS type,
       CAST(json_extract(json, '$.appId') AS TEXT) AS appId,
       CAST(json_extract(json, '$.sessionId') AS TEXT) AS sessionId,
       CAST(json_extract(json, '$.userId') AS TEXT) AS userId,
       CAST(json_extract(json, '$.groupId') AS TEXT) AS groupId,
       -- where the visitor was, and the same without what stands behind a question mark
       CAST(json_extract(json, '$.meta.route') AS TEXT) AS route,
       substr(json_extract(json, '$.meta.route'), 1,
              instr(json_extract(json, '$.meta.route') || '?', '?') - 1) AS page,
       CAST(CASE json_extract(json, '$.type')
                 WHEN 'navigation' THEN json_extract(json, '$.payload.to')
                 WHEN 'http' THEN json_extract(json, '$.payload.method') || ' '
                                  || json_extract(json, '$.payload.url')
                 WHEN 'click' THEN coalesce(nullif(json_extract(json, '$.payload.text'), ''),
                                            json_extract(json, '$.payload.id'),
                                            json_extract(json, '$.payload.xpath'),
                                            json_extract(json, '$.payload.tag'))
                 WHEN 'error' THEN json_extract(json, '$.payload.message')
                 WHEN 'console' THEN json_extract(json, '$.payload.message')
                 WHEN 'custom' THEN json_extract(json, '$.payload.name')
                 WHEN 'session' THEN json_extract(json, '$.payload.action')
            END AS TEXT) AS what,
       bytes, -- how long its text is
       json   -- all of it; NULL when someone has changed it into what is no JSON
  FROM (SELECT seq, ts, received, id, length(CAST(event AS BLOB)) AS bytes,
               CASE WHEN json_valid(event) THEN event END AS json
          FROM main.events);

-- Clicks: on which element, and where.
CREATE TEMP VIEW IF NOT EXISTS clicks AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json_extract(json, '$.payload.tag') AS tag,
       json_extract(json, '$.payload.text') AS text,
       json_extract(json, '$.payload.id') AS elementId,
       json_extract(json, '$.payload.classes') AS classes,
       json_extract(json, '$.payload.xpath') AS xpath,
       json_extract(json, '$.payload.coordinates.x') AS x,
       json_extract(json, '$.payload.coordinates.y') AS y
  FROM activity
 WHERE type = 'click';

-- Requests that a page has made. path is the url without what stands behind a question mark. A request
-- has failed when its status is 400 or more, 0, or not there.
CREATE TEMP VIEW IF NOT EXISTS requests AS
SELECT *,
       substr(url, 1, instr(url || '?', '?') - 1) AS path,
       status IS NULL OR status = 0 OR status >= 400 AS failed
  FROM (SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
               CAST(json_extract(json, '$.payload.method') AS TEXT) AS method,
               CAST(json_extract(json, '$.payload.url') AS TEXT) AS url,
               CASE WHEN json_type(json, '$.payload.status') IN ('integer', 'real')
                    THEN json_extract(json, '$.payload.status') END AS status,
               CASE WHEN json_type(json, '$.payload.duration') IN ('integer', 'real')
                    THEN json_extract(json, '$.payload.duration') END AS duration, -- milliseconds
               json_extract(json, '$.payload.requestHeaders') AS requestHeaders,
               json_extract(json, '$.payload.requestBody') AS requestBody,
               CASE WHEN json_type(json, '$.payload.requestSize') IN ('integer', 'real')
                    THEN json_extract(json, '$.payload.requestSize') END AS requestSize,
               json_extract(json, '$.payload.responseBody') AS responseBody,
               CASE WHEN json_type(json, '$.payload.responseSize') IN ('integer', 'real')
                    THEN json_extract(json, '$.payload.responseSize') END AS responseSize
          FROM activity
         WHERE type = 'http');

-- Errors. alike is the message with # for each run of digits, so that "no item 17" and "no item 4" are
-- one error; place is where it was thrown: file, line and column, or the first line of the stack that
-- names a place.
CREATE TEMP VIEW IF NOT EXISTS errors AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       message, stack, filename, lineno, colno, errorType,
       replace(replace(replace(replace(replace(replace(
       replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(message,
               '0', '#'), '1', '#'), '2', '#'), '3', '#'), '4', '#'), '5', '#'), '6', '#'), '7', '#'),
               '8', '#'), '9', '#'),
               '########', '#'), '####', '#'), '###', '#'), '##', '#'), '##', '#'), '##', '#') AS alike,
       coalesce(filename || ':' || lineno || ':' || colno,
                CASE WHEN ltrim(substr(stack, instr(stack, char(10)) + 1)) LIKE 'at %'
                     THEN substr(ltrim(substr(stack, instr(stack, char(10)) + 1)), 4,
                                 instr(ltrim(substr(stack, instr(stack, char(10)) + 1)) || char(10),
                                       char(10)) - 4)
                     ELSE substr(stack, 1, instr(stack || char(10), char(10)) - 1) END,
                filename) AS place
  FROM (SELECT *,
               CAST(json_extract(json, '$.payload.message') AS TEXT) AS message,
               CAST(json_extract(json, '$.payload.stack') AS TEXT) AS stack,
               CAST(json_extract(json, '$.payload.filename') AS TEXT) AS filename,
               json_extract(json, '$.payload.lineno') AS lineno,
               json_extract(json, '$.payload.colno') AS colno,
               json_extract(json, '$.payload.errorType') AS errorType
          FROM activity
         WHERE type = 'error');

-- From one page to the next. trigger is 'load' for the first of a visit; duration is how long, in
-- milliseconds, the visitor had been on the page that was left.
CREATE TEMP VIEW IF NOT EXISTS navigations AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route,
       "from", "to", trigger, duration,
       substr("from", 1, instr("from" || '?', '?') - 1) AS leaving, -- both without what stands
       substr("to", 1, instr("to" || '?', '?') - 1) AS page         -- behind a question mark
  FROM (SELECT *,
               CAST(json_extract(json, '$.payload.from') AS TEXT) AS "from",
               CAST(json_extract(json, '$.payload.to') AS TEXT) AS "to",
               json_extract(json, '$.payload.trigger') AS trigger,
               CASE WHEN json_type(json, '$.payload.duration') IN ('integer', 'real')
                    THEN json_extract(json, '$.payload.duration') END AS duration
          FROM activity
         WHERE type = 'navigation');

-- What pages have written to the browser's console.
CREATE TEMP VIEW IF NOT EXISTS console AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       CAST(json_extract(json, '$.payload.method') AS TEXT) AS method,
       CAST(json_extract(json, '$.payload.message') AS TEXT) AS message,
       json_extract(json, '$.payload.args') AS args,
       json_extract(json, '$.payload.groupDepth') AS groupDepth
  FROM activity
 WHERE type = 'console';

-- Events that an application names itself; duration is there for those that measure something.
CREATE TEMP VIEW IF NOT EXISTS customs AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       CAST(json_extract(json, '$.payload.name') AS TEXT) AS name,
       json_extract(json, '$.payload.data') AS data,
       CASE WHEN json_type(json, '$.payload.duration') IN ('integer', 'real')
            THEN json_extract(json, '$.payload.duration') END AS duration -- milliseconds
  FROM activity
 WHERE type = 'custom';

-- Where sessions start and end, also when a visitor becomes a known user (trigger 'userId-change').
CREATE TEMP VIEW IF NOT EXISTS sessions AS
SELECT seq, ts, time, id, level, appId, sessionId, userId, groupId, route, page, what,
       json_extract(json, '$.payload.action') AS action, -- 'start' or 'end'
       json_extract(json, '$.payload.trigger') AS trigger,
       json_extract(json, '$.payload.previousUserId') AS previousUserId,
       json_extract(json, '$.payload.newUserId') AS newUserId
  FROM activity
 WHERE type = 'session';

-- With what each event was sent. browser, version and system are read from the user agent; what is
-- unknown is NULL.
CREATE TEMP VIEW IF NOT EXISTS clients AS
SELECT seq, ts, time, id, level, type, appId, sessionId, userId, groupId, route, page,
       userAgent, viewport, language,
       CASE mark WHEN 'Edg/' THEN 'Edge' WHEN 'OPR/' THEN 'Opera'
                 WHEN 'SamsungBrowser/' THEN 'Samsung Internet' WHEN 'Firefox/' THEN 'Firefox'
                 WHEN 'FxiOS/' THEN 'Firefox' WHEN 'CriOS/' THEN 'Chrome'
                 WHEN 'HeadlessChrome/' THEN 'Chrome, headless' WHEN 'Chrome/' THEN 'Chrome'
                 WHEN 'Version/' THEN 'Safari' END AS browser,
       CAST(substr(userAgent, instr(userAgent, mark) + length(mark)) AS INTEGER) AS version,
       CASE WHEN instr(userAgent, 'Android') THEN 'Android'
            WHEN instr(userAgent, 'iPhone') OR instr(userAgent, 'iPad') THEN 'iOS'
            WHEN instr(userAgent, 'Windows') THEN 'Windows'
            WHEN instr(userAgent, 'Mac OS X') THEN 'macOS'
            WHEN instr(userAgent, 'CrOS') THEN 'ChromeOS'
            WHEN instr(userAgent, 'Linux') THEN 'Linux' END AS system
  FROM (SELECT *,
               CASE WHEN instr(userAgent, 'Edg/') THEN 'Edg/' WHEN instr(userAgent, 'OPR/') THEN 'OPR/'
                    WHEN instr(userAgent, 'SamsungBrowser/') THEN 'SamsungBrowser/'
                    WHEN instr(userAgent, 'Firefox/') THEN 'Firefox/'
                    WHEN instr(userAgent, 'FxiOS/') THEN 'FxiOS/'
                    WHEN instr(userAgent, 'CriOS/') THEN 'CriOS/'
                    WHEN instr(userAgent, 'HeadlessChrome/') THEN 'HeadlessChrome/'
                    WHEN instr(userAgent, 'Chrome/') THEN 'Chrome/'
                    WHEN instr(userAgent, 'Safari/') AND instr(userAgent, 'Version/') THEN 'Version/'
               END AS mark
          FROM (SELECT *,
                       CAST(json_extract(json, '$.meta.userAgent') AS TEXT) AS userAgent,
                       json_extract(json, '$.meta.viewport') AS viewport,
                       json_extract(json, '$.meta.language') AS language
                  FROM activity));
