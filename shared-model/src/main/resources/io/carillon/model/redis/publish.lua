-- Appends one event to a channel's history and publishes it, atomically: offset, epoch, history, idempotency, PUBLISH.
--
-- KEYS[1]  the channel: <prefix>:<namespace>:(user|room|broadcast):{<id>}; also the key of its meta. Beside it
--          <channel>:history (list of stamped events), <channel>:ids (sorted set, event id -> offset) and
--          <channel>:sources (hash, ingress stream -> last entry of it that is in the history). In Cluster name those it
--          touches as KEYS[2], KEYS[3] and, with a source, KEYS[4]: then Redis refuses the whole call (TRYAGAIN) while the
--          slot moves and only some of them have arrived, in place of ending it half way
-- ARGV[1]  the event, one JSON object as text
-- ARGV[2]  its id, [A-Za-z0-9._:@~+=-]{1,128}; '' to take the event's own "id", or else <epoch>-<offset>
-- ARGV[3..] option pairs:
--   max <events kept; 256 of a user, 1024 of a room, 2048 of the broadcast>
--   ttl <seconds the history outlives the last publish; 300>  meta <seconds the meta does; 172800>
--   trusted 1          a node has validated the event, its id and its channel; without it all are checked here
--   source <name> entry <stream entry id> after <stream entry id or ''>   with trusted only, see below
--   ack 1              the event of a user's channel is kept until it is acknowledged; without "trusted" the event's own
--                      "ack" decides. Kept as ack.lua says: acks <events kept, the oldest goes>  ackage <seconds>
-- reply    {offset, epoch, timestamp ms, duplicate 0|1, receivers, events that went unacknowledged for this one};
--          of a duplicate by its source the channel's top
--
-- A worker that drains a stream in order names stream and entry. An entry that is not behind the last one taken from the
-- stream is a duplicate, however long ago that was: this outlives the ids, which go with the history. An entry whose
-- predecessor (after) has not been taken is refused with CARILLONORDER, so that none can overtake one that failed.
--
-- Stamps replace the opening brace: {"channel":"user:u1","offset":17,"epoch":"e","timestamp":1760000000123,"id":"i",
-- Meta is <epoch> <offset> <timestamp of the last event> <primary's replication id> <previous epoch or -> <offset at
-- which it ended>. The epoch changes when the primary does, so a tail lost in a failover is never taken for continuity.
local PUBLISH = '@PUB@'
local MAX_EVENT = 540672 -- content of 512 KiB, and 16 KiB for the other fields
local channel, event, id = KEYS[1], ARGV[1] or '', ARGV[2] or ''
local kind, name = string.match(channel, '^[^:]+:[^:]+:(%l+):{(.+)}$')
if not kind or #name > 128 or (kind ~= 'user' and kind ~= 'room' and kind ~= 'broadcast') then
  return redis.error_reply('CARILLONCHANNEL expected <prefix>:<namespace>:user|room|broadcast:{<id>}')
end
local options = {max = kind == 'user' and 256 or kind == 'room' and 1024 or 2048, ttl = 300, meta = 172800, trusted = 0,
  ack = 0, acks = 1000, ackage = 86400}
local source, entry, after
for i = 3, #ARGV, 2 do
  local key, value = ARGV[i], ARGV[i + 1]
  if options[key] then
    value = tonumber(value)
    if not value or value < 1 or value > 1e7 then return redis.error_reply('CARILLONOPTION expected 1 to 10000000') end
    options[key] = math.floor(value)
  elseif key == 'source' then
    source = value
  elseif key == 'entry' then
    entry = value
  elseif key == 'after' then
    after = value
  else
    return redis.error_reply('CARILLONOPTION unknown option')
  end
end
if (source or entry or after) and (options.trusted ~= 1 or not source or not string.find(entry or '', '^%d+%-%d+$')) then
  return redis.error_reply('CARILLONOPTION unknown option')
end
if options.meta < options.ttl then options.meta = options.ttl end
local brace = 1
if string.byte(event) ~= 123 then -- {
  brace = string.find(event, '{', 1, true)
  if not brace or string.find(string.sub(event, 1, brace - 1), '%S') then
    return redis.error_reply('CARILLONEVENT the event is not a JSON object')
  end
end
if options.trusted ~= 1 then -- what a node sends has been through all of this there
  if not string.find(channel, '^[a-z0-9%-]+:[a-z0-9%-]+:%l+:{[%w%._:@~+=%-]+}$') then
    return redis.error_reply('CARILLONCHANNEL expected <prefix>:<namespace>:user|room|broadcast:{<id>}')
  end
  if #event > MAX_EVENT then return redis.error_reply('CARILLONSIZE the event is too large') end
  local fine, decoded = pcall(cjson.decode, event)
  if not fine or type(decoded) ~= 'table' then return redis.error_reply('CARILLONEVENT the event is not valid JSON') end
  local function bad(what) return redis.error_reply('CARILLONEVENT ' .. what) end
  if type(decoded.type) ~= 'string' or #decoded.type > 64 or not string.find(decoded.type, '^[%w_%.:%-]+$') then
    return bad('type must be 1 to 64 characters of A-Z a-z 0-9 _ . : -')
  end
  local function given(field) return decoded[field] ~= nil and decoded[field] ~= cjson.null end
  for _, field in ipairs({'id', 'from', 'to', 'room', 'session', 'exclude'}) do
    local value = decoded[field]
    if given(field) and (type(value) ~= 'string' or value == '' or #value > 128 or string.find(value, '[^%w%._:@~+=%-]')) then
      return bad(field .. ' must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -')
    end
  end
  for field, expected in pairs({from_name = 'string', from_kind = 'string', durable = 'boolean', ack = 'boolean'}) do
    if given(field) and type(decoded[field]) ~= expected then return bad(field .. ' must be a ' .. expected) end
  end
  options.ack = decoded.ack == true and 1 or 0
  if options.ack == 1 and (kind ~= 'user' or decoded.durable == false) then
    return bad('only a durable event for one user is acknowledged: leave out ack')
  end
  local function deep(value, left)
    if type(value) ~= 'table' then return false end
    if left == 0 then return true end
    for _, inner in pairs(value) do
      if deep(inner, left - 1) then return true end
    end
    return false
  end
  if deep(decoded, 33) then return bad('the content is nested deeper than 32') end
  if id == '' and given('id') then id = decoded.id end
  if #id > 128 or string.find(id, '[^%w%._:@~+=%-]') then
    return redis.error_reply('CARILLONID an id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ + = -')
  end
end

local history, ids = channel .. ':history', channel .. ':ids'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local primary = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or 'none', 1, 10)
local epoch, offset, last, seen, previous, ended = nil, 0, 0, primary, '-', 0
local meta = redis.call('GET', channel)
if meta then
  epoch, offset, last, seen, previous, ended = string.match(meta, '^(%S+) (%d+) (%d+) (%S+) (%S+) (%d+)$')
  if not epoch then return redis.error_reply('CARILLONMETA the meta of the channel is corrupt') end
  offset, last = tonumber(offset), tonumber(last)
  if seen ~= primary then -- first touch under a new primary: a new epoch, and the offsets go on
    previous, ended, epoch = epoch, offset, nil
  end
else
  redis.call('DEL', history, ids) -- the meta is lost, so what is left of the history proves nothing
end
local fresh = epoch == nil
if fresh then
  epoch = string.format('%x', tonumber(time[1] .. string.format('%06d', tonumber(time[2])))) .. '.' .. string.sub(primary, 1, 4)
end
if now < last then now = last end -- time never goes back within a channel
-- Functions of rare ways are made there: each costs every publish a tenth of a microsecond.
local known -- where a duplicate's first one is
local taken
if source then
  function taken()
    redis.call('HSET', channel .. ':sources', source, entry)
    redis.call('EXPIRE', channel .. ':sources', options.meta)
  end
  local function later(a, b) -- numbers of up to 20 digits, without leading zeros
    local x, y = string.match(a, '^(%d+)%-(%d+)$')
    local v, w = string.match(b, '^(%d+)%-(%d+)$')
    if x == v then x, v = y, w end
    return #x > #v or #x == #v and x > v
  end
  local top = redis.call('HGET', channel .. ':sources', source) or '0-0'
  if not later(entry, top) then
    known = offset
  elseif after and after ~= '' and later(after, top) then
    return redis.error_reply('CARILLONORDER the entry before this one has not been taken')
  end
end
if not known and id ~= '' then
  known = redis.call('ZSCORE', ids, id)
  if known and source then taken() end
end
if known then
  if fresh then
    redis.call('SET', channel, epoch .. ' ' .. offset .. ' ' .. last .. ' ' .. primary .. ' ' .. previous .. ' ' .. ended,
      'EX', options.meta)
  end
  return {tonumber(known), epoch, last, 1, 0, 0}
end
local dropped = 0
local waiting, kept
if options.ack == 1 then
  waiting, kept = channel .. ':acks', channel .. ':acks:events'
  local at = time[1] * 1000000 + time[2]
  local function forget(old)
    if #old == 0 then return end
    redis.call('ZREM', waiting, unpack(old))
    redis.call('HDEL', kept, unpack(old))
  end
  forget(redis.call('ZRANGEBYSCORE', waiting, '-inf', string.format('%.0f', at - options.ackage * 1000000), 'LIMIT', 0, 1000))
  local unacknowledged = id ~= '' and redis.call('HGET', kept, id)
  if unacknowledged then -- the history has forgotten its id, but it still waits
    local place, of, stamp = string.match(unacknowledged, '^{"channel":"[^"]*","offset":(%d+),"epoch":"([^"]*)","timestamp":(%d+),')
    if source then taken() end
    return {tonumber(place), of, tonumber(stamp), 1, 0, 0}
  end
  local over = redis.call('ZCARD', waiting) - options.acks + 1
  if over > 0 then
    local old = redis.call('ZRANGE', waiting, 0, math.min(over, 1000) - 1)
    for i = 1, #old do redis.call('ZADD', channel .. ':acked', string.format('%.0f', at), '!' .. old[i]) end
    redis.call('EXPIRE', channel .. ':acked', options.ackage)
    forget(old)
    dropped = #old
  end
end
offset, last = offset + 1, now
local place, stamp = string.format('%.0f', offset), string.format('%.0f', now)
local named = id ~= ''
if not named then id = epoch .. '-' .. place end
local label = kind
if kind ~= 'broadcast' then label = kind .. ':' .. name end
local own = '{"id":"' .. id .. '",' -- an event that starts with its id does not say it twice
local from = brace + 1
if string.sub(event, 1, #own) == own then from = #own + 1 end
local message = '{"channel":"' .. label .. '","offset":' .. place .. ',"epoch":"' .. epoch .. '","timestamp":'
  .. stamp .. ',"id":"' .. id .. '",' .. string.sub(event, from)
if redis.call('RPUSH', history, message) > options.max then redis.call('LTRIM', history, -options.max, -1) end
redis.call('EXPIRE', history, options.ttl)
redis.call('SET', channel, epoch .. ' ' .. place .. ' ' .. stamp .. ' ' .. primary .. ' ' .. previous .. ' ' .. ended,
  'EX', options.meta)
if named then
  redis.call('ZADD', ids, place, id)
  if offset % 16 == 0 then redis.call('ZREMRANGEBYSCORE', ids, '-inf', offset - options.max) end
  redis.call('EXPIRE', ids, options.ttl)
end
if options.ack == 1 then
  redis.call('ZADD', waiting, string.format('%.0f', time[1] * 1000000 + time[2]), id)
  redis.call('HSET', kept, id, message)
  redis.call('EXPIRE', waiting, options.ackage)
  redis.call('EXPIRE', kept, options.ackage)
end
if source then taken() end
return {offset, epoch, now, 0, redis.call(PUBLISH, channel, message), dropped}
