-- Plain commands on one key, for callers that have the script port only.
--
-- KEYS[1]  any key; ARGV[1] the operation
--   add <member>+               SADD     -> {added}
--   remove <member>+            SREM     -> {removed}
--   members                     SMEMBERS -> {member*}
--   size                        SCARD    -> {members}
--   page <cursor> <count>       SSCAN    -> {cursor, {member*}}
--   names <cursor> <count>      HSCAN    -> {cursor, {field*}}
--   fields                      HLEN     -> {fields}
--   write (<field> <value>)+    HSET     -> {new fields}
--   read                        HGETALL  -> {(field, value)*}
--   expire <seconds>            EXPIRE   -> {1 or 0}
local operation = ARGV[1]
local function rest() return unpack(ARGV, 2) end
if operation == 'add' then return {redis.call('SADD', KEYS[1], rest())} end
if operation == 'remove' then return {redis.call('SREM', KEYS[1], rest())} end
if operation == 'members' then return redis.call('SMEMBERS', KEYS[1]) end
if operation == 'size' then return {redis.call('SCARD', KEYS[1])} end
if operation == 'page' then return redis.call('SSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]) end
if operation == 'names' then
  local page, names = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]), {}
  for i = 1, #page[2], 2 do names[#names + 1] = page[2][i] end
  return {page[1], names}
end
if operation == 'fields' then return {redis.call('HLEN', KEYS[1])} end
if operation == 'write' then return {redis.call('HSET', KEYS[1], rest())} end
if operation == 'read' then return redis.call('HGETALL', KEYS[1]) end
if operation == 'expire' then return {redis.call('EXPIRE', KEYS[1], ARGV[2])} end
return redis.error_reply('CARILLONOP unknown operation')
