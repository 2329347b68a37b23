-- Stores marks of one kind and publishes the new ones to the instances. Returns the
-- number of stored marks. Without marks it only removes expired ones.
--
-- KEYS: a hash of the marks, a sorted set of their ends, the stream of changes,
-- a hash of the details of the marks. To undo revocations: the first, second and
-- fourth of these keys for the revocations, and the first for the undo marks.
-- ARGV: the kind, the maximum, "refuse" or "evict" beyond the maximum, "new" for
-- marks of this moment. Then of each mark the key, Before and Until in Unix
-- milliseconds, and its details: its time of creation, a space and a text, or
-- nothing.

local marks, ends, changes, abouts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local revoked, revoked_ends, revoked_abouts, undos = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local kind, most, when_full, new = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == 'new'

-- The clocks of the instances and of Redis can differ.
local grace = 60000
local keep_changes = 86400000

local function remove(members)
  if #members > 0 then
    redis.call('ZREM', ends, unpack(members))
    redis.call('HDEL', marks, unpack(members))
    redis.call('HDEL', abouts, unpack(members))
  end
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000
remove(redis.call('ZRANGEBYSCORE', ends, '-inf', string.format('%.0f', now - grace), 'LIMIT', 0, 1000))

-- A mark can be extended, never shortened.
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

-- Each change names the one before it, so that an instance detects a missed one.
local function last_change()
  local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end

local function created(about)
  return tonumber(string.match(about or '', '^%d+') or '0')
end

-- The details of the latest creation count.
local function newer(known, about)
  if known and (about == '' or created(known) > created(about)) then
    return known
  end
  return about
end

-- An undo ends a revocation of its time or earlier. It also ends one that an instance
-- writes back without knowing the undo. A new revocation comes after the undo.
local function after_undo(key, about)
  local undo = redis.call('HGET', undos, key)
  local at = undo and tonumber(string.match(undo, '^%d+'))
  if not at or created(about) > at then
    return about
  end
  if new then
    return string.format('%.0f', at + 1) .. string.sub(about, #string.match(about, '^%d*') + 1)
  end
end

-- Removes the revocation that an undo ends, and returns when the undo expires.
local function undo(key, before, till)
  local known = redis.call('HGET', revoked, key)
  if known and created(redis.call('HGET', revoked_abouts, key)) <= tonumber(before) then
    redis.call('HDEL', revoked, key)
    redis.call('ZREM', revoked_ends, key)
    redis.call('HDEL', revoked_abouts, key)
    local _, known_till = widened(known, before, till)
    return known_till
  end
  return till
end

local function publish(key, mark, about)
  -- Instances without support for undo ignore an ended mark.
  local known = kind == 'undo' and '0 0' or mark
  redis.call('XADD', changes, 'MAXLEN', '~', 10000, '*', 'prev', last_change(), 'kind', kind, 'key', key, 'mark', known,
    'about', about, 'undo', kind == 'undo' and mark or '')
end

local stored, changed = 0, false

local function store(key, before, till, about)
  if kind == 'undo' then
    till = undo(key, before, till)
  elseif kind == 'revoked' then
    about = after_undo(key, about)
    if not about then
      stored = stored + 1
      return
    end
  end
  local known, known_about = redis.call('HGET', marks, key), redis.call('HGET', abouts, key)
  if known then
    before, till = widened(known, before, till)
    about = newer(known_about, about)
  elseif redis.call('HLEN', marks) >= most then
    if when_full ~= 'evict' then
      return
    end
    remove(redis.call('ZRANGE', ends, 0, 0))
  end
  stored = stored + 1
  local mark = before .. ' ' .. till
  if mark == known and about == (known_about or '') then
    return
  end
  redis.call('HSET', marks, key, mark)
  redis.call('ZADD', ends, till, key)
  if about ~= '' then
    redis.call('HSET', abouts, key, about)
  end
  publish(key, mark, about)
  changed = true
end

for i = 5, #ARGV, 4 do
  store(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end

if changed then
  local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')
  local over = string.format('%.0f', tonumber(last[2]) + grace)
  redis.call('PEXPIREAT', marks, over)
  redis.call('PEXPIREAT', ends, over)
  redis.call('PEXPIREAT', abouts, over)
  redis.call('PEXPIRE', changes, keep_changes)
end

return stored
