-- Events of a user's channel that wait to be acknowledged; publish.lua puts them there, in the step that appends them.
--
-- KEYS[1]  the channel, <prefix>:<namespace>:user:{<id>}. Beside it :acks (sorted set, event id -> microseconds since the
--          epoch when it was accepted), :acks:events (hash, event id -> stamped event), :acked (sorted set, event id ->
--          microseconds when it was acknowledged; '!' and the id for one that had to go for newer ones)
-- ARGV[1]  the operation; ARGV[2] seconds after which an event waits no longer, and a mark is forgotten
--   pending <age> <after> <events> <bytes>  -> {more 0|1, (microseconds, event)*}: those accepted after these
--            microseconds, oldest first; at least one, and none further once the bytes are passed
--   done    <age> <id>                      -> {1}, or {0}: it does not wait (any more)
--   state   <age> <id>                      -> {'pending' | 'acknowledged' | 'dropped' | 'unknown', microseconds or '0'}
local channel = KEYS[1]
local waiting, kept, acked = channel .. ':acks', channel .. ':acks:events', channel .. ':acked'
local operation, age = ARGV[1], tonumber(ARGV[2]) or 86400
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end
local oldest = text(now - age * 1000000)
if operation == 'pending' then
  local reply = {0}
  if redis.call('EXISTS', waiting) == 0 then return reply end
  local after, events, bytes = tonumber(ARGV[3]) or 0, tonumber(ARGV[4]) or 100, tonumber(ARGV[5]) or 131072
  local old = redis.call('ZRANGEBYSCORE', waiting, '-inf', oldest, 'LIMIT', 0, 1000)
  if #old > 0 then
    redis.call('ZREM', waiting, unpack(old))
    redis.call('HDEL', kept, unpack(old))
  end
  local ids = redis.call('ZRANGEBYSCORE', waiting, '(' .. text(after), '+inf', 'WITHSCORES', 'LIMIT', 0, events + 1)
  for i = 1, #ids, 2 do
    if #reply >= 2 * events or bytes <= 0 then
      reply[1] = 1
      break
    end
    local event = redis.call('HGET', kept, ids[i])
    if event then
      reply[#reply + 1] = text(tonumber(ids[i + 1]))
      reply[#reply + 1] = event
      bytes = bytes - #event
    end
  end
  return reply
elseif operation == 'done' then
  local id = ARGV[3]
  if redis.call('ZREM', waiting, id) == 0 then return {0} end
  redis.call('HDEL', kept, id)
  redis.call('ZREMRANGEBYSCORE', acked, '-inf', oldest)
  redis.call('ZADD', acked, text(now), id)
  redis.call('ZREMRANGEBYRANK', acked, 0, -10001)
  redis.call('EXPIRE', acked, age)
  return {1}
elseif operation == 'state' then
  local id = ARGV[3]
  for _, look in ipairs({{'pending', waiting, id}, {'acknowledged', acked, id}, {'dropped', acked, '!' .. id}}) do
    local at = redis.call('ZSCORE', look[2], look[3])
    if at and tonumber(at) > tonumber(oldest) then return {look[1], text(tonumber(at))} end
  end
  return {'unknown', '0'}
end
return redis.error_reply('CARILLONOP unknown operation')
