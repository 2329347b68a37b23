-- Stores public keys, and removes expired ones. Returns 1, or 0 beyond the maximum.
--
-- KEYS: a hash of the keys by ID, each "<end> <JWK>".
-- ARGV: their lifetime in milliseconds, the maximum of keys, and then an ID and a JWK
-- for each.

local shared, keep, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local all, known = redis.call('HGETALL', shared), 0
for i = 1, #all, 2 do
  local till = string.match(all[i + 1], '^(%d+) ')
  if till and tonumber(till) > now then
    known = known + 1
  else
    redis.call('HDEL', shared, all[i])
  end
end
if known + (#ARGV - 2) / 2 > most then
  return 0
end
local till = string.format('%.0f', now + keep)
for i = 3, #ARGV, 2 do
  redis.call('HSET', shared, ARGV[i], till .. ' ' .. ARGV[i + 1])
end
redis.call('PEXPIREAT', shared, till)
return 1
