-- Messages of one conversation or chat: each is numbered, kept, and published on its channel in one step, so that ids,
-- order of delivery and what is kept agree whatever node writes. The text of publish.lua stands before this one, as
-- append(KEYS, ARGV).
--
-- KEYS[1]  the channel, <prefix>:<namespace>:(room|broadcast):{<id>}. Beside it
--          <channel>:messages (stream, entry id <message id>-0, fields at <milliseconds> message <JSON>) and
--          <channel>:messages:last ("<last id> <its milliseconds> <primary's replication id>"), which outlives them
-- KEYS[2]  <channel>:once:<hash>: what was stored under a caller's key, "<SHA-1 of the fields><message>"
-- KEYS[3]  <channel>:rate:<user>: when the user's token bucket would be full again, milliseconds
--          In Cluster also those that are touched as well: then Redis refuses the whole call (TRYAGAIN) while the slot moves
-- ARGV[1]  the operation
--   append <type> <event> <fields> <once> <compare> <interval> <burst> <count> <age> <skip> <max> <ttl> <seen>
--     type      of the event; event: further members of it, each with a comma behind, or ''
--     fields    members of the message between "id" and "created_at", which are set here
--     once      seconds the caller's key holds; 0 for a post without one.  compare 1: another message under it is refused
--     interval  milliseconds in which one token comes, burst tokens at most; interval 0 = no limit
--     count, age  messages kept, seconds they are kept.  skip  ids left out after a loss, see below
--     max, ttl  of the channel's history, as publish.lua says.  seen  the greatest id the caller knows to be given; 0 for none
--     -> {'stored' | 'repeated', id, message} | {'conflict'} | {'limited'}; a repeated or refused one changes nothing
--   read <after> <limit> <bytes> <age>
--     -> {more 0|1, message*}: those with greater ids, in order; one at least, and none further once the bytes are passed
--
-- An id is given once. A primary that takes over may lack the last ids of the one before it, which clients have seen: so
-- the first message after a change of primary leaves out <skip> of them. After Redis lost everything ids go on <skip> behind
-- the greatest the caller has seen, and where it has seen none, start at 1.
local channel, messages, counter = KEYS[1], KEYS[1] .. ':messages', KEYS[1] .. ':messages:last'
local OUTLIVES = 315360000 -- ten years: a counter may go with a conversation nobody remembers, not with its messages
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end

if ARGV[1] == 'read' then
  local limit, most, oldest = tonumber(ARGV[3]), tonumber(ARGV[4]), now - ARGV[5] * 1000
  local reply, from, bytes = {0}, '(' .. ARGV[2] .. '-0', 0
  repeat
    local page = redis.call('XRANGE', messages, from, '+', 'COUNT', 100)
    for i = 1, #page do
      local at, message = tonumber(page[i][2][2]), page[i][2][4]
      if at > oldest then
        if #reply > limit or bytes >= most then
          reply[1] = 1
          return reply
        end
        reply[#reply + 1] = message
        bytes = bytes + #message
      end
      from = '(' .. page[i][1]
    end
  until #page < 100
  return reply
elseif ARGV[1] ~= 'append' then
  return redis.error_reply('CARILLONOP unknown operation')
end

-- RFC 3339 in UTC. Years are counted from March, so that the leap day is the last of its year.
local function written(milliseconds)
  local seconds = math.floor(milliseconds / 1000)
  local days, rest = math.floor(seconds / 86400) + 719468, seconds % 86400 -- 719468: from 1 March of the year 0 to 1970
  local centuries4 = math.floor(days / 146097)
  local day = days - centuries4 * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)
  day = day - math.floor((153 * month + 2) / 5) + 1
  if month > 9 then month, year = month - 12, year + 1 end
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year + centuries4 * 400, month + 3, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, milliseconds % 1000)
end

local type, event, fields = ARGV[2], ARGV[3], ARGV[4]
local once, compare = tonumber(ARGV[5]), ARGV[6] == '1'
local interval, burst = tonumber(ARGV[7]), tonumber(ARGV[8])
local count, age, skip = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local digest = redis.sha1hex(fields)
if once > 0 then
  local known = redis.call('GET', KEYS[2])
  if known then
    if compare and string.sub(known, 1, 40) ~= digest then return {'conflict'} end
    return {'repeated', string.match(known, '^%x+{"id":(%d+),'), string.sub(known, 41)}
  end
end
local full
if interval > 0 then
  full = math.max(tonumber(redis.call('GET', KEYS[3]) or '0'), now) + interval
  if full - now > interval * burst then return {'limited'} end
end

local primary = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or 'none', 1, 10)
local last, at, seen = 0, 0, primary
local state = redis.call('GET', counter)
if state then
  last, at, seen = string.match(state, '^(%d+) (%d+) (%x+)$')
  if not last then return redis.error_reply('CARILLONMETA the counter of the messages is corrupt') end
  last, at = tonumber(last), tonumber(at)
else
  local top = redis.call('XREVRANGE', messages, '+', '-', 'COUNT', 1)[1]
  if top then last, at = tonumber(string.match(top[1], '^%d+')), tonumber(top[2][2]) end
end
if seen ~= primary then last = last + skip end
if last < tonumber(ARGV[14]) then last = tonumber(ARGV[14]) + skip end
if now < at then now = at end -- time never goes back within a conversation
local id = text(last + 1)
local message = '{"id":' .. id .. ',' .. fields .. ',"created_at":"' .. written(now) .. '"}'
local appended = append({channel}, {'{"type":"' .. type .. '",' .. event .. '"content":' .. message .. '}', '',
  'max', ARGV[12], 'ttl', ARGV[13], 'trusted', '1'})
if appended.err then return appended end
redis.call('XADD', messages, 'MAXLEN', count, id .. '-0', 'at', text(now), 'message', message)
local oldest = now - age * 1000
if tonumber(redis.call('XRANGE', messages, '-', '+', 'COUNT', 1)[1][2][2]) <= oldest then
  local old = {}
  for _, entry in ipairs(redis.call('XRANGE', messages, '-', '+', 'COUNT', 100)) do
    if tonumber(entry[2][2]) <= oldest then old[#old + 1] = entry[1] end
  end
  redis.call('XDEL', messages, unpack(old))
end
redis.call('EXPIRE', messages, age)
redis.call('SET', counter, id .. ' ' .. text(now) .. ' ' .. primary, 'EX', OUTLIVES)
if once > 0 then redis.call('SET', KEYS[2], digest .. message, 'EX', once) end
if full then redis.call('SET', KEYS[3], text(full), 'PX', text(math.max(1, full - now))) end
return {'stored', id, message}
