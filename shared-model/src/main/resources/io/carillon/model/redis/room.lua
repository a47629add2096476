-- Who is in a room, over all nodes.
--
-- KEYS[1]  <prefix>:<namespace>:members:{<room>}:users   hash, user -> number of nodes that hold him; beside it
--          <prefix>:<namespace>:members:{<room>}:node:<node>   set, the users a node holds
--          <prefix>:<namespace>:members:{<room>}:announced     set, the users whose arrival was announced: the
--          departure of these and no other is announced, whichever node sees it
-- ARGV[1]  the operation; ARGV[2] the node's incarnation; ARGV[3] 1 to announce changes on the room's channel, else 0
--   join  <node> <announce> <user>+    the user's first session of this node in the room   -> {added, users now}
--   leave <node> <announce> <user>+    his last one                                        -> {removed, users now}
--   reap  <node> <announce> <batch>    the node is dead; call until taken is 0             -> {taken, users now}
--
-- An announcement is a plain event: {"type":"presence_join","room":"r","user":"u1","count":3}, count being users now.
local PUBLISH = '@PUB@'
local stem = string.match(KEYS[1], '^(.+):users$')
local space, room = string.match(KEYS[1], '^([^:]+:[^:]+):members:{([%w%._:@~+=%-]+)}:users$')
if not space then return redis.error_reply('CARILLONKEY expected <prefix>:<namespace>:members:{<room>}:users') end
local operation, node, announce = ARGV[1], ARGV[2], ARGV[3] == '1'
local users, held, announced = KEYS[1], stem .. ':node:' .. node, stem .. ':announced'
local changed = 0

local function tell(type, user)
  if string.find(user, '[^%w%._:@~+=%-]') then return end
  redis.call(PUBLISH, space .. ':room:{' .. room .. '}',
    '{"type":"' .. type .. '","room":"' .. room .. '","user":"' .. user .. '","count":' .. redis.call('HLEN', users) .. '}')
end

local function out(user)
  changed = changed + 1
  if redis.call('HINCRBY', users, user, -1) <= 0 then
    redis.call('HDEL', users, user)
    if redis.call('SREM', announced, user) == 1 and announce then tell('presence_leave', user) end
  end
end

if operation == 'join' then
  for i = 4, #ARGV do
    if redis.call('SADD', held, ARGV[i]) == 1 then
      changed = changed + 1
      if redis.call('HINCRBY', users, ARGV[i], 1) == 1 and announce then
        redis.call('SADD', announced, ARGV[i])
        tell('presence_join', ARGV[i])
      end
    end
  end
elseif operation == 'leave' then
  for i = 4, #ARGV do
    if redis.call('SREM', held, ARGV[i]) == 1 then out(ARGV[i]) end
  end
elseif operation == 'reap' then
  local members = redis.call('SPOP', held, tonumber(ARGV[4]) or 100)
  for i = 1, #members do out(members[i]) end
  return {#members, redis.call('HLEN', users)}
else
  return redis.error_reply('CARILLONOP unknown operation')
end
return {changed, redis.call('HLEN', users)}
