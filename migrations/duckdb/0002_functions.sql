-- What the files in queries/ call by ClickHouse's names.
CREATE MACRO intDiv(dividend, divisor) AS dividend // divisor;
CREATE MACRO uniqExact(x) AS count(DISTINCT x);
CREATE MACRO mapContains(entries, name) AS map_contains(entries, name);
CREATE MACRO positionUTF8(haystack, needle) AS strpos(haystack, needle);
CREATE MACRO cityHash64(x) AS hash(x);

-- The beginning of the bucket of `width` ms that a moment falls into, before 1970 too.
CREATE MACRO bucketOf(moment, width) AS moment - ((moment % width) + width) % width;
