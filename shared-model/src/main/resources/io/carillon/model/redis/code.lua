-- Activation codes and their groups.
--
-- KEYS[1]  <prefix>:<namespace>:codes   hash, code -> group, or "<group> moving" until every node was told to close the
--          sessions that came with the code when it was another group's
-- ARGV[1]  the operation; ARGV[2] the code
--   find   <code>                  -> {group}, or {''}: there is no such code
--   put    <code> <group> <limit>  -> {'created'}, {'kept'}: it was the group's already, {'moved'}: it was another's, or
--            is moving still; or {'full'}: there are <limit> codes
--   moved  <code> <group>          -> {1} the move is over, {0} the code is another group's by now, or gone
--   remove <code>                  -> {1}, or {0}: there was none
local codes, operation, code = KEYS[1], ARGV[1], ARGV[2]
local kept = redis.call('HGET', codes, code)
local group = kept and string.match(kept, '^%d+')
if operation == 'find' then return {group or ''} end
if operation == 'put' then
  if kept == ARGV[3] then return {'kept'} end
  if not kept then
    if redis.call('HLEN', codes) >= tonumber(ARGV[4]) then return {'full'} end
    redis.call('HSET', codes, code, ARGV[3])
    return {'created'}
  end
  redis.call('HSET', codes, code, ARGV[3] .. ' moving')
  return {'moved'}
end
if operation == 'moved' then
  if kept ~= ARGV[3] .. ' moving' then return {0} end
  redis.call('HSET', codes, code, ARGV[3])
  return {1}
end
if operation == 'remove' then return {redis.call('HDEL', codes, code)} end
return redis.error_reply('CARILLONOP unknown operation')
