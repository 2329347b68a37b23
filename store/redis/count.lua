-- Adds one to a counter and returns its value. A full set evicts the counters that
-- expire first. If all instances have the same `forget`, these are the least recently
-- used ones.
--
-- KEYS: a hash of the counters, each "<count> <end>", and a sorted set of their ends.
-- ARGV: the key, its lifetime in milliseconds, the maximum of counters.

local counters, ends = KEYS[1], KEYS[2]
local key, forget, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function remove(members)
  if #members > 0 then
    redis.call('ZREM', ends, unpack(members))
    redis.call('HDEL', counters, unpack(members))
  end
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
remove(redis.call('ZRANGEBYSCORE', ends, '-inf', string.format('%.0f', now), 'LIMIT', 0, 10))

local count = 0
local known = redis.call('HGET', counters, key)
if known then
  local stored, till = string.match(known, '^(%d+) (%d+)$')
  if till and tonumber(till) > now then
    count = tonumber(stored)
  end
else
  local over = redis.call('HLEN', counters) - most
  if over >= 0 then
    remove(redis.call('ZRANGE', ends, 0, math.min(over, 99)))
  end
end

count = count + 1
local till = string.format('%.0f', now + forget)
redis.call('HSET', counters, key, string.format('%.0f', count) .. ' ' .. till)
redis.call('ZADD', ends, till, key)
local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')
local over = string.format('%.0f', tonumber(last[2]))
redis.call('PEXPIREAT', counters, over)
redis.call('PEXPIREAT', ends, over)
return count
