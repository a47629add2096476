-- One stream of events from a service: who drains it, and what is read from it. Everything but claim and lead does
-- nothing unless the caller is the owner at that very moment: so a worker that was paused past its lock reads nothing
-- and takes nothing away. The consumer group is carillon; its one consumer is worker, whoever that is.
--
-- KEYS[1]  the stream, <prefix>:ingress:{<service>}; beside it <stream>:owner, the lock
-- ARGV[1]  the operation; ARGV[2] the caller; ARGV[3] how long the lock is held without being renewed, ms
--   claim     takes the lock if it is free, makes stream and group         -> {1 or 0, owner}
--   renew     compare and PEXPIRE                                          -> {1, entries in the stream} or {0}
--   release   compare and DEL                                              -> {1} or {0}
--   read <count> <bytes>     entries nobody has been given yet             -> {1, last id given, entry*} or {0}
--   pending <count> <bytes>  entries a worker was given and has not done   -> {1, how many it looked at, entry*} or {0}
--   done <id>*               XACK and XDEL                                 -> {1, deleted} or {0}
--   lead      KEYS[1] is a lock of its own: SET NX PX                      -> {1 or 0}
--
-- An entry is {id, channel, event, times given, bytes of the event}; a field that is missing is ''. Of an event over the
-- largest size only the first 8 KB come, so that none fills the memory of one worker after the other. Reading stops after <count> entries or
-- <bytes>, whichever comes first. pending starts with the oldest. One that was given often may be what killed its
-- workers, so it comes alone: then its count grows, and not that of those behind it.
local stream, operation, me, life = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local GROUP, CONSUMER, ALONE = 'carillon', 'worker', 3
local MAX_EVENT, KEPT, MAX_CHANNEL = 540672, 8192, 256 -- a channel of 256 characters is none already
if operation == 'lead' then
  return {redis.call('SET', stream, me, 'NX', 'PX', life) and 1 or 0}
end
local owner = stream .. ':owner'
local holder = redis.call('GET', owner)
local function make_group()
  local made = redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
if operation == 'claim' then
  if holder and holder ~= me then return {0, holder} end
  local failure = make_group()
  if failure then return failure end
  redis.call('SET', owner, me, 'PX', life)
  return {1, me}
end
if holder ~= me then return {0} end
if operation == 'release' then return {redis.call('DEL', owner)} end
redis.call('PEXPIRE', owner, life)
if operation == 'renew' then return {1, redis.call('XLEN', stream)} end
if operation == 'done' then
  redis.call('XACK', stream, GROUP, unpack(ARGV, 4))
  return {1, redis.call('XDEL', stream, unpack(ARGV, 4))}
end
local count, bytes, size, reply = tonumber(ARGV[4]), tonumber(ARGV[5]), 0, {1, 0}
local function add(entry, times)
  local channel, event = '', ''
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'channel' then channel = entry[2][i + 1] end
    if entry[2][i] == 'event' then event = entry[2][i + 1] end
  end
  local whole = #event
  if whole > MAX_EVENT then event = string.sub(event, 1, KEPT) end
  channel = string.sub(channel, 1, MAX_CHANNEL)
  size = size + #channel + #event
  reply[#reply + 1] = {entry[1], channel, event, times, whole}
end
local function full() return #reply - 2 >= count or size >= bytes end
local function forgotten(answer) -- the stream was deleted under us, and the group with it
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'NOGROUP', 1, true)
end
if operation == 'read' then
  repeat
    local most = math.min(8, count - #reply + 2)
    local answer = redis.pcall('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', most, 'STREAMS', stream, '>')
    if forgotten(answer) then
      make_group()
      answer = false
    end
    if answer and answer.err then return answer end
    local entries = answer and answer[1][2] or {}
    for _, entry in ipairs(entries) do
      add(entry, 1)
      reply[2] = entry[1]
    end
  until #entries < most or full()
  if reply[2] == 0 then -- nothing is new: from where to wait
    reply[2] = '0-0'
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local fields = {}
      for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
      if fields.name == GROUP then reply[2] = fields['last-delivered-id'] end
    end
  end
  return reply
end
if operation == 'pending' then
  local list = redis.pcall('XPENDING', stream, GROUP, '-', '+', count)
  if forgotten(list) then
    make_group()
    list = {}
  end
  if list.err then return list end
  if list[1] and list[1][4] >= ALONE then count = 1 end
  for _, given in ipairs(list) do
    if full() then break end
    reply[2] = reply[2] + 1
    local claimed = redis.call('XCLAIM', stream, GROUP, CONSUMER, 0, given[1])
    if claimed[1] then
      add(claimed[1], given[4] + 1)
    else
      redis.call('XACK', stream, GROUP, given[1]) -- somebody deleted it; 6.2 keeps it pending and answers nil
    end
  end
  return reply
end
return redis.error_reply('CARILLONOP unknown operation')
