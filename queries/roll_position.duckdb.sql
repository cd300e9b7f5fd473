-- Note up to where the rows are rolled up now.
UPDATE rolled SET position = {upto:UInt64} WHERE position = {rolled:UInt64}
