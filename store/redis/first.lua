-- Stores a key of an owner. Returns 1 if it is new, 0 if it exists, and -1 if the
-- owner has the maximum of keys. With a maximum of 0 it stores nothing.
--
-- KEYS: a sorted set of the owner's keys, by their ends.
-- ARGV: the key, its lifetime in milliseconds, the maximum of keys.

local owned, key, keep, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', owned, '-inf', string.format('%.0f', now))
if redis.call('ZSCORE', owned, key) then
  return 0
end
if redis.call('ZCARD', owned) >= most then
  return -1
end
redis.call('ZADD', owned, string.format('%.0f', now + keep), key)
local last = redis.call('ZREVRANGE', owned, 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', owned, string.format('%.0f', tonumber(last[2])))
return 1
