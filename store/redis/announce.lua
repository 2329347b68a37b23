-- Stores marks of one kind and tells the instances of those that are news.
-- Returns for how many there was room. Without marks it only removes what has
-- ended.
--
-- KEYS: a hash of the marks, a sorted set of their ends, the stream of changes.
-- ARGV: the kind, how many there may be, "refuse" or "evict" for when there are
-- more; then the key, Before and Until of each mark, in Unix milliseconds.

local marks, ends, changes = KEYS[1], KEYS[2], KEYS[3]
local kind, most, when_full = ARGV[1], tonumber(ARGV[2]), ARGV[3]

-- The clocks of the instances and of Redis need not be the same.
local grace = 60000
local keep_changes = 86400000

local function remove(members)
  if #members > 0 then
    redis.call('ZREM', ends, unpack(members))
    redis.call('HDEL', marks, unpack(members))
  end
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000
remove(redis.call('ZRANGEBYSCORE', ends, '-inf', string.format('%.0f', now - grace), 'LIMIT', 0, 1000))

-- A mark is widened, never narrowed.
local function widened(known, before, till)
  local known_before, known_till = string.match(known, '^(%d+) (%d+)$')
  if not known_till then
    return before, till
  end
  if tonumber(known_till) > tonumber(till) then
    till = known_till
  end
  if known_before == '0' or (before ~= '0' and tonumber(known_before) > tonumber(before)) then
    before = known_before
  end
  return before, till
end

-- Each change names the one before it, so that who missed one finds out.
local function last_change()
  local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end

local stored, changed = 0, false
for i = 4, #ARGV, 3 do
  local key, before, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local known = redis.call('HGET', marks, key)
  local room = true
  if known then
    before, till = widened(known, before, till)
  elseif redis.call('HLEN', marks) >= most then
    room = when_full == 'evict'
    if room then
      remove(redis.call('ZRANGE', ends, 0, 0))
    end
  end
  if room then
    stored = stored + 1
    local mark = before .. ' ' .. till
    if mark ~= known then
      redis.call('HSET', marks, key, mark)
      redis.call('ZADD', ends, till, key)
      redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'prev', last_change(), 'kind', kind, 'key', key, 'mark', mark)
      changed = true
    end
  end
end

if changed then
  local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')
  local over = string.format('%.0f', tonumber(last[2]) + grace)
  redis.call('PEXPIREAT', marks, over)
  redis.call('PEXPIREAT', ends, over)
  redis.call('PEXPIRE', changes, keep_changes)
end

return stored
