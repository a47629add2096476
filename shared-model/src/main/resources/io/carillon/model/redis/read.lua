-- Verifies a position in a channel's history and returns what came after it: gaps of a node, resumes of clients.
--
-- KEYS[1]  the channel, which is the key of its meta (see publish.lua); in Cluster KEYS[2] <channel>:history
-- ARGV[1]  epoch of the position; '' asks for the top only, '*' for what is kept after the offset, whatever its epoch
-- ARGV[2]  offset of the position, 0 for "before the first"
-- ARGV[3]  most events to answer
-- ARGV[4]  1 to accept a position of the epoch before the last change of primary, if it lies before the change: right
--          for a node that was listening meanwhile; 0 for a client that was away, which cannot know what was lost
-- ARGV[5]  greatest age in seconds of a position taken on an empty channel; less than any meta's lifetime
-- ARGV[6]  bytes after which no further event is answered; one always is
-- reply    {continuous 0|1, epoch, top offset, more 0|1, event...}
--
-- continuous 1: the events follow the position without a gap. 0: that cannot be proven; go on from the top.
-- A channel never used has the epoch ~<primary's replication id>~<Redis seconds> and the offset 0.
local channel = KEYS[1]
local asked, from, limit = ARGV[1] or '', tonumber(ARGV[2]) or 0, tonumber(ARGV[3]) or 100
local across, age, most = ARGV[4] == '1', tonumber(ARGV[5]) or 86400, tonumber(ARGV[6]) or 1048576
local primary = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or 'none', 1, 10)
local time = redis.call('TIME')
local function unused(epoch) -- whether it is the epoch of a channel seen empty, recently enough, on this primary
  local at, when = string.match(epoch, '^~(%w+)~(%d+)$')
  return at and (at == primary or across) and time[1] - when <= age
end
local meta = redis.call('GET', channel)
if not meta then
  local empty = '~' .. primary .. '~' .. time[1]
  if asked == '' or asked == '*' then return {1, empty, 0, 0} end
  -- Who listened goes on under this primary's name, as with the epoch of a channel that is used: it was seen empty here.
  if from == 0 and unused(asked) then return {1, across and empty or asked, 0, 0} end
  return {0, empty, 0, 0}
end
local epoch, offset, last, seen, previous, ended = string.match(meta, '^(%S+) (%d+) (%d+) (%S+) (%S+) (%d+)$')
if not epoch then return redis.error_reply('CARILLONMETA the meta of the channel is corrupt') end
offset, ended = tonumber(offset), tonumber(ended)
if seen ~= primary then -- first touch after a change of primary
  previous, ended = epoch, offset
  epoch = string.format('%x', tonumber(time[1] .. string.format('%06d', tonumber(time[2])))) .. '.' .. string.sub(primary, 1, 4)
  local ttl = redis.call('TTL', channel)
  if ttl < 1 then ttl = 172800 end
  redis.call('SET', channel, table.concat({epoch, string.format('%.0f', offset), last, primary, previous,
    string.format('%.0f', ended)}, ' '), 'EX', ttl)
end
local gap = {0, epoch, offset, 0}
if asked == '' then return {1, epoch, offset, 0} end
if asked == '*' then
  from = math.max(from, offset - redis.call('LLEN', channel .. ':history'))
  if from >= offset then return {1, epoch, offset, 0} end
elseif asked ~= epoch then
  if string.sub(asked, 1, 1) == '~' then
    if from ~= 0 or not unused(asked) then return gap end
  elseif not across or asked ~= previous or from > ended then -- beyond the end lies the lost tail
    return gap
  end
end
if from > offset or from < 0 then return gap end
if from == offset then return {1, epoch, offset, 0} end
local first = from + redis.call('LLEN', channel .. ':history') - offset -- index of the event after the position
if first < 0 then return gap end
if limit < 1 then return {1, epoch, offset, 1} end
local reply, count, bytes = {1, epoch, offset, 0}, 0, 0
repeat
  local at = first + count
  local events = redis.call('LRANGE', channel .. ':history', at, at + math.min(limit - count, 32) - 1)
  -- The list must agree with the meta: else somebody else has changed it.
  if count == 0 and (not events[1]
    or tonumber(string.match(events[1], '^{"channel":"[^"]*","offset":(%d+),')) ~= from + 1) then return gap end
  for i = 1, #events do
    if bytes >= most then break end
    count, bytes = count + 1, bytes + #events[i]
    reply[#reply + 1] = events[i]
  end
until #events == 0 or count >= limit or bytes >= most
if from + count < offset then reply[4] = 1 end
return reply
