-- What filters say. Each is true or false of an event, never unknown: where there is nothing to
-- compare with, it is false.

-- all: All of them.
(<filters AND>)

-- any: One of them.
(<filters OR>)

-- not: The opposite.
(NOT <filter>)

-- same: Exactly this.
(<key> = {value:String})

-- among: Exactly one of these.
(<key> IN {values:Array(String)})

-- texts: A JSON value that is one of these texts.
(<is_text> AND <unquoted> IN {values:Array(String)})

-- same_number: This number.
coalesce(<number> = {value:Float64}, FALSE)

-- among_numbers: One of these numbers.
coalesce(<number> IN {values:Array(Float64)}, FALSE)

-- contains: Somewhere in the text, literally.
(positionUTF8(<text>, {value:String}) > 0)

-- starts_with: At the beginning of the text, literally.
(positionUTF8(<text>, {value:String}) = 1)

-- gt: A greater number.
coalesce(<number> > {value:Float64}, FALSE)

-- gte: This number or a greater one.
coalesce(<number> >= {value:Float64}, FALSE)

-- lt: A smaller number.
coalesce(<number> < {value:Float64}, FALSE)

-- lte: This number or a smaller one.
coalesce(<number> <= {value:Float64}, FALSE)

-- exists: There is a value.
(<key> <> '')

-- stored: Stored up to a position.
(position <= {until:UInt64})

-- beyond: After a place, by time first.
(timestamp > {timestamp:Int64} OR (timestamp = {timestamp:Int64}
    AND (position > {position:UInt64} OR (position = {position:UInt64} AND ordinal > {ordinal:UInt32}))))
