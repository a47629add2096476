-- Who is in a room, over all nodes.
--
-- KEYS[1]  <prefix>:<namespace>:members:{<room>}:users   hash, user -> number of nodes that hold him; beside it
--          <prefix>:<namespace>:members:{<room>}:node:<node>   set, the users a node holds
--          <prefix>:<namespace>:members:{<room>}:announced     set, the users whose arrival was announced: the
--          departure of these and no other is announced, whichever node sees it
-- ARGV[1]  the operation; ARGV[2] the node's incarnation; ARGV[3] 1 to announce changes on the room's channel, else 0
--   join  <node> <announce> <user>+    the user's first session of this node in the room   -> {added, users now}
--   leave <node> <announce> <user>+    his last one                                        -> {removed, users now}
--     a user may be followed by a space and his display name, which is kept while he is in the room:
--     <prefix>:<namespace>:members:{<room>}:names   hash, user -> name
--   reap  <node> <announce> <batch>    the node is dead; call until taken is 0             -> {taken, users now}
--
-- An announcement is a plain event: {"type":"presence_join","room":"r","user":"u1","count":3}, count being users now,
-- with "name" where one is kept.
local PUBLISH = '@PUB@'
local stem = string.match(KEYS[1], '^(.+):users$')
local space, room = string.match(KEYS[1], '^([^:]+:[^:]+):members:{([%w%._:@~+=%-]+)}:users$')
if not space then return redis.error_reply('CARILLONKEY expected <prefix>:<namespace>:members:{<room>}:users') end
local operation, node, announce = ARGV[1], ARGV[2], ARGV[3] == '1'
local users, held, announced, names = KEYS[1], stem .. ':node:' .. node, stem .. ':announced', stem .. ':names'
local changed = 0

local function split(argument)
  local user, name = string.match(argument, '^(%S+) (.+)$')
  return user or argument, name
end

local function tell(type, user, name)
  if string.find(user, '[^%w%._:@~+=%-]') then return end
  redis.call(PUBLISH, space .. ':room:{' .. room .. '}',
    '{"type":"' .. type .. '","room":"' .. room .. '","user":"' .. user .. '","count":' .. redis.call('HLEN', users)
    .. (name and ',"name":' .. cjson.encode(name) or '') .. '}')
end

local function out(user)
  changed = changed + 1
  if redis.call('HINCRBY', users, user, -1) <= 0 then
    redis.call('HDEL', users, user)
    local name = redis.call('HGET', names, user)
    if name then redis.call('HDEL', names, user) end
    if redis.call('SREM', announced, user) == 1 and announce then tell('presence_leave', user, name) end
  end
end

if operation == 'join' then
  for i = 4, #ARGV do
    local user, name = split(ARGV[i])
    if name then redis.call('HSET', names, user, name) end
    if redis.call('SADD', held, user) == 1 then
      changed = changed + 1
      if redis.call('HINCRBY', users, user, 1) == 1 and announce then
        redis.call('SADD', announced, user)
        tell('presence_join', user, name)
      end
    end
  end
elseif operation == 'leave' then
  for i = 4, #ARGV do
    local user = split(ARGV[i])
    if redis.call('SREM', held, user) == 1 then out(user) end
  end
elseif operation == 'reap' then
  local members = redis.call('SPOP', held, tonumber(ARGV[4]) or 100)
  for i = 1, #members do out(members[i]) end
  return {#members, redis.call('HLEN', users)}
else
  return redis.error_reply('CARILLONOP unknown operation')
end
return {changed, redis.call('HLEN', users)}
