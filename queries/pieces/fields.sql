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

-- priority: The priority, as a number.
(priority + 0e0)

-- user_key: The user, as distinct counts take it.
user_key

-- session_key: The session, as distinct counts take it.
session_key

-- payload: The payload, as JSON text.
payload

-- metadata: The metadata, as JSON text.
metadata

-- member: What a JSON object has under a key, as JSON text.
JSONExtractRaw(<document>, {key:String})

-- value: The JSON text at the end of a path; '' for nothing.
<reached>

-- unquoted: The text of a JSON text.
JSONExtractString(<json>)

-- parsed: The number of a JSON text.
JSONExtractFloat(<json>)

-- token: A JSON value as what it is grouped by and compared with: '' for none.
CASE substring(<json>, 1, 1)
    WHEN '"' THEN concat('s', <unquoted>)
    WHEN 't' THEN 'b1'
    WHEN 'f' THEN 'b0'
    WHEN 'n' THEN ''
    WHEN '{' THEN ''
    WHEN '[' THEN ''
    WHEN '' THEN ''
    ELSE 'n'
END

-- number_token: The token of all numbers; which one it is stands beside it.
'n'

-- text: A JSON value if it is a text, otherwise ''.
CASE substring(<json>, 1, 1) WHEN '"' THEN <unquoted> ELSE '' END

-- number: A JSON value if it is a number, otherwise NULL.
CASE WHEN substring(<json>, 1, 1) IN ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9') THEN <parsed> END

-- payload_number: A number at the top of the payload, otherwise NULL.
CASE WHEN mapContains(numbers, {key:String}) THEN numbers[{key:String}] END

-- rank: A number as what it is grouped by; 0 for what is none, and for a negative zero.
coalesce(<number> + 0e0, 0e0)
