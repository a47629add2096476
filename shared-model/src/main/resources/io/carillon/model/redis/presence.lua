-- Who is online in one namespace, exactly: users, their sessions, kinds and groups.
--
-- KEYS[1]  <prefix>:<namespace>:presence:online   (in Cluster <prefix>:<namespace>:presence:{p<k>}:online); the other
--          keys hang on the same stem: :user:<id> :kind:<kind> :group:<group> :node:<node> :fenced:<node> :log
--          :nodes (incarnations that may write) :rooms:<node> (rooms it has users in) :sets (names of the kind and
--          group sets there are, for the audit)
-- ARGV[1]  the operation; ARGV[2] the node's incarnation
--   admit      <node>                               -> {1}, or {-1}: this incarnation is fenced
--   enter      <node> <room>                        -> {1}, or {-1}: it is not admitted
--   depart     <node>                               -> {1}; a clean stop, after all sessions are unregistered
--   register   <node> (<session> <user> <kind or ''> <groups, commas> <since ms> <address> <endpoint>)+
--                                                   -> {registered, joins, (session, {room*})*}: the last for
--                                                      those whose users were put into rooms through the API
--                                                      (<prefix>:<namespace>:members:granted:<user>, in Cluster
--                                                      members:{p<k>}:granted:<user>); or {-1}: the
--                                                      incarnation is not admitted, or no longer (it was reaped, or
--                                                      Redis lost its data). Again: puts back what is missing
--   unregister <node> (<session> <user>)+           -> {removed, leaves}
--   reap       <node> <batch> <fence seconds>       -> {taken, leaves}; call until taken is 0
--   audit      <me> <set: online | kind:<kind> | group:<group>> <cursor> <count> <live incarnations, commas>
--                                                   -> {cursor, checked, fixed, leaves}
--   tally      <me> <node>*                         -> {users online, sessions of these nodes, {admitted
--                                                      incarnation that is not among them}*}
--
-- A session's value in its user's hash is <node>|<kind>|<groups>|<since>|<address>|<endpoint>|<registered s>. A user's
-- join and leave are logged in the same call that added him to or removed him from the online set: exactly once each.
local stem = string.match(KEYS[1], '^(.+):online$')
if not stem then return redis.error_reply('CARILLONKEY expected <prefix>:<namespace>:presence:online') end
local namespace = string.match(stem, '^[^:]+:([^:]+):presence')
if not namespace then return redis.error_reply('CARILLONKEY expected <prefix>:<namespace>:presence:online') end
local operation, node = ARGV[1], ARGV[2]
local now = redis.call('TIME')[1]
local online, held, fence, nodes = KEYS[1], stem .. ':node:' .. node, stem .. ':fenced:' .. node, stem .. ':nodes'
local changes = 0

local function log(event, user, kind, session, at)
  changes = changes + 1
  redis.call('XADD', stem .. ':log', 'MAXLEN', '~', 100000, '*', 'event', event, 'user', user, 'kind', kind,
    'session', session, 'node', at, 'namespace', namespace)
end

local function drop(session, user, at)
  local key = stem .. ':user:' .. user
  local value = redis.call('HGET', key, session)
  if not value then return 0 end
  local holder, kind, groups = string.match(value, '^([^|]*)|([^|]*)|([^|]*)|')
  if holder ~= at then return 0 end -- another incarnation holds it by now
  redis.call('HDEL', key, session)
  local rest = redis.call('HVALS', key)
  local kind_stays, group_stays = false, {}
  for i = 1, #rest do
    local _, k, gs = string.match(rest[i], '^([^|]*)|([^|]*)|([^|]*)|')
    if k == kind then kind_stays = true end
    for g in string.gmatch(gs, '[^,]+') do group_stays[g] = true end
  end
  if not kind_stays and kind ~= '' then redis.call('SREM', stem .. ':kind:' .. kind, user) end
  for g in string.gmatch(groups, '[^,]+') do
    if not group_stays[g] then redis.call('SREM', stem .. ':group:' .. g, user) end
  end
  if #rest == 0 and redis.call('SREM', online, user) == 1 then log('leave', user, kind, session, at) end
  return 1
end

local function into(set, user)
  if redis.call('SADD', stem .. ':' .. set, user) == 1 then redis.call('SADD', stem .. ':sets', set) end
end

if operation == 'admit' then
  if redis.call('EXISTS', fence) == 1 then return {-1} end
  redis.call('SADD', nodes, node)
  return {1}
elseif operation == 'enter' then
  if redis.call('SISMEMBER', nodes, node) == 0 then return {-1} end
  redis.call('SADD', stem .. ':rooms:' .. node, ARGV[3])
  return {1}
elseif operation == 'depart' then
  redis.call('SREM', nodes, node)
  return {1}
elseif operation == 'register' then
  if redis.call('SISMEMBER', nodes, node) == 0 then return {-1} end
  local n = 0
  local granted = {}
  local tag = string.match(stem, '({[^}]+})$') -- in Cluster the grants lie in the user's part
  local grants = string.match(stem, '^[^:]+:[^:]+') .. ':members:' .. (tag and tag .. ':' or '') .. 'granted:'
  for i = 3, #ARGV, 7 do
    local session, user, kind, groups = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local key = stem .. ':user:' .. user
    local old = redis.call('HGET', key, session)
    local holder = old and string.match(old, '^([^|]*)|')
    if holder ~= node then
      n = n + 1
      if old then redis.call('SREM', stem .. ':node:' .. holder, session .. ' ' .. user) end
      redis.call('HSET', key, session,
        table.concat({node, kind, groups, ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], now}, '|'))
      local rooms = redis.call('SMEMBERS', grants .. user)
      if #rooms > 0 then
        granted[#granted + 1] = session
        granted[#granted + 1] = rooms
      end
    end
    redis.call('SADD', held, session .. ' ' .. user)
    if redis.call('SADD', online, user) == 1 then log('join', user, kind, session, node) end
    if kind ~= '' then into('kind:' .. kind, user) end
    for g in string.gmatch(groups, '[^,]+') do into('group:' .. g, user) end
  end
  return {n, changes, unpack(granted)}
elseif operation == 'unregister' then
  local n = 0
  for i = 3, #ARGV, 2 do
    redis.call('SREM', held, ARGV[i] .. ' ' .. ARGV[i + 1])
    n = n + drop(ARGV[i], ARGV[i + 1], node)
  end
  return {n, changes}
elseif operation == 'reap' then
  redis.call('SET', fence, '1', 'EX', tonumber(ARGV[4]) or 86400)
  redis.call('SREM', nodes, node)
  local members = redis.call('SPOP', held, tonumber(ARGV[3]) or 100)
  for i = 1, #members do
    local session, user = string.match(members[i], '^(%S+) (.+)$')
    if session then drop(session, user, node) end
  end
  return {#members, changes}
elseif operation == 'audit' then
  local set, live, fixed = stem .. ':' .. ARGV[3], ',' .. (ARGV[6] or '') .. ',', 0
  local page = redis.call('SSCAN', set, ARGV[4], 'COUNT', tonumber(ARGV[5]) or 100)
  for _, user in ipairs(page[2]) do
    local key = stem .. ':user:' .. user
    local sessions = redis.call('HGETALL', key)
    for i = 1, #sessions, 2 do
      local holder, registered = string.match(sessions[i + 1], '^([^|]*)|.*|(%d+)$')
      -- A session registered after the caller listed the live incarnations is left alone.
      if holder and now - registered > 60 and not string.find(live, ',' .. holder .. ',', 1, true) then
        fixed = fixed + drop(sessions[i], user, holder)
      end
    end
    local stays = false
    local rest = redis.call('HVALS', key)
    for i = 1, #rest do
      local _, k, gs = string.match(rest[i], '^([^|]*)|([^|]*)|([^|]*)|')
      if ARGV[3] == 'online' or ARGV[3] == 'kind:' .. k then stays = true end
      for g in string.gmatch(gs, '[^,]+') do
        if ARGV[3] == 'group:' .. g then stays = true end
      end
    end
    if not stays and redis.call('SREM', set, user) == 1 then
      fixed = fixed + 1
      if ARGV[3] == 'online' then log('leave', user, '', '', node) end
    end
  end
  if ARGV[3] ~= 'online' and redis.call('EXISTS', set) == 0 then redis.call('SREM', stem .. ':sets', ARGV[3]) end
  return {page[1], #page[2], fixed, changes}
elseif operation == 'tally' then
  local sessions, live, strays = 0, {}, {}
  for i = 3, #ARGV do
    sessions = sessions + redis.call('SCARD', stem .. ':node:' .. ARGV[i])
    live[ARGV[i]] = true
  end
  for _, admitted in ipairs(redis.call('SMEMBERS', nodes)) do
    if not live[admitted] then strays[#strays + 1] = admitted end
  end
  return {redis.call('SCARD', online), sessions, strays}
end
return redis.error_reply('CARILLONOP unknown operation')
