-- Leases of nodes: who is alive, who leads, and who cleans up after a dead one. All times are the Redis clock's.
--
-- KEYS[1]  <prefix>:nodes:lease   sorted set, node -> expiry in ms; beside it :reap (sorted set of nodes being cleaned
--          up), :reapers (hash, dead node -> its reaper), :info (hash of descriptions, JSON), :leader (string)
-- ARGV[1]  the operation; ARGV[2] the caller's incarnation
--   join  <node> <lease ms> <info>               -> {1, now ms, leader 0|1, (expired node)*}
--   beat  <node> <lease ms> <info>               -> the same, or {0}: the lease was taken, the caller is fenced
--   claim <me> <claim ms> (<suspect> <score>)*   -> (node)*: the caller must reap these; a node goes to one caller only
--   renew <me> <claim ms> <dead>                 -> 1 still the caller's, 0 lost
--   done  <me> <dead>                            -> 1 finished, 0 not the caller's
--   leave <node>                                 -> 1; a clean stop, after all sessions are unregistered
local stem = string.match(KEYS[1], '^(.+):lease$')
if not stem then return redis.error_reply('CARILLONKEY expected <prefix>:nodes:lease') end
local lease, reap, info, reapers, leader =
  KEYS[1], stem .. ':reap', stem .. ':info', stem .. ':reapers', stem .. ':leader'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local operation, node = ARGV[1], ARGV[2]

if operation == 'join' or operation == 'beat' then
  if operation == 'beat' and not redis.call('ZSCORE', lease, node) then return {0} end
  local ttl = tonumber(ARGV[3])
  redis.call('ZADD', lease, text(now + ttl), node)
  redis.call('HSET', info, node, ARGV[4])
  local leads = redis.call('GET', leader)
  if not leads or leads == node then
    redis.call('SET', leader, node, 'PX', math.floor(ttl / 2))
    leads = node
  end
  local out = {1, text(now), leads == node and 1 or 0}
  for _, key in ipairs({lease, reap}) do
    local expired = redis.call('ZRANGEBYSCORE', key, '-inf', text(now), 'LIMIT', 0, 16)
    for i = 1, #expired do out[#out + 1] = expired[i] end
  end
  return out
elseif operation == 'claim' then
  local got = {}
  local function take(dead)
    redis.call('ZREM', lease, dead)
    redis.call('ZADD', reap, text(now + tonumber(ARGV[3])), dead)
    redis.call('HSET', reapers, dead, node)
    got[#got + 1] = dead
  end
  for _, key in ipairs({lease, reap}) do -- expired leases, and reapers that died half way
    local expired = redis.call('ZRANGEBYSCORE', key, '-inf', text(now), 'LIMIT', 0, 16)
    for i = 1, #expired do
      if expired[i] ~= node then take(expired[i]) end
    end
  end
  for i = 4, #ARGV, 2 do -- suspects, if they have not beaten since the caller looked
    if redis.call('ZSCORE', lease, ARGV[i]) == ARGV[i + 1] then take(ARGV[i]) end
  end
  return got
elseif operation == 'renew' then
  if redis.call('HGET', reapers, ARGV[4]) ~= node then return 0 end
  redis.call('ZADD', reap, text(now + tonumber(ARGV[3])), ARGV[4])
  return 1
elseif operation == 'done' then
  if redis.call('HGET', reapers, ARGV[3]) ~= node then return 0 end
  redis.call('ZREM', reap, ARGV[3])
  redis.call('HDEL', reapers, ARGV[3])
  redis.call('HDEL', info, ARGV[3])
  return 1
elseif operation == 'leave' then
  redis.call('ZREM', lease, node)
  redis.call('HDEL', info, node)
  if redis.call('GET', leader) == node then redis.call('DEL', leader) end
  return 1
end
return redis.error_reply('CARILLONOP unknown operation')
