-- What can be asked about in an event. A text column is its own token: '' where there is nothing.

-- event_type: The event's type.
event_type

-- user_id: The user.
user_id

-- session_id: The session.
session_id

-- event_id: The event's own id.
event_id

-- source: Where the event came from.
source

-- priority: The priority, as a number. It is never 0; what may be NULL is NULL over no rows.
CASE WHEN priority > 0 THEN priority + 0e0 END

-- user_key: The user, as distinct counts take it.
user_key

-- session_key: The session, as distinct counts take it.
session_key

-- timestamp: The event's own time, ms since 1970 UTC.
timestamp

-- place: The place of the event in the stream: what comes first of equal moments.
position, ordinal

-- payload: The payload, as JSON text.
payload

-- metadata: The metadata, as JSON text.
metadata

-- customer: The profile of the user, as JSON text; nothing where there is none.
customer

-- member: What a JSON object has under a key, as JSON text.
JSONExtractRaw(<document>, {key:String})

-- value: The JSON text at the end of a path; '' for nothing.
<reached>

-- too_long: Whether a JSON text is a whole number beyond 64 bits. This engine gives it as a text.
FALSE

-- is_text: Whether a JSON text is that of a text.
(<json> >= '"' AND <json> < '#')

-- is_number: Whether a JSON text is that of a number: it begins with a sign or a digit.
(<json> >= '-' AND <json> < ':')

-- key: What a JSON value is grouped by: '' for none, 'n' for numbers, others as they stand.
CASE
    WHEN <is_text> THEN <json>
    WHEN <is_number> THEN CASE WHEN <too_long> THEN concat('"', <json>, '"') ELSE 'n' END
    WHEN <json> = 'true' OR <json> = 'false' THEN <json>
    ELSE ''
END

-- number_key: The key of all numbers; which one it is stands beside it.
'n'

-- key_in_order: A key as it is put in order: nothing, false, true, numbers, texts.
CASE substring(<key>, 1, 1)
    WHEN '"' THEN concat('s', <unquoted>)
    WHEN 't' THEN 'b1'
    WHEN 'f' THEN 'b0'
    ELSE <key>
END

-- unquoted: The text of a JSON text.
JSONExtractString(<json>)

-- parsed: The number of a JSON text.
JSONExtractFloat(<json>)

-- text: A JSON value if it is a text, otherwise ''.
CASE WHEN <is_text> THEN <unquoted> WHEN <is_number> AND <too_long> THEN <json> ELSE '' END

-- number: A JSON value if it is a number, otherwise NULL.
CASE WHEN <is_number> AND NOT <too_long> THEN <parsed> END

-- payload_number: A number at the top of the payload, otherwise NULL.
CASE WHEN mapContains(numbers, {key:String}) THEN numbers[{key:String}] END

-- rank: A number as what it is grouped by; 0 for what is none, and for a negative zero.
coalesce(<number> + 0e0, 0e0)

-- event: All that is told of an event, and its place.
timestamp, position, ordinal, event_id, event_type, user_id, session_id, source, received_at,
priority, metadata, payload
