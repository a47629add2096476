-- What could not be delivered: one capped stream for the whole cluster.
--
-- KEYS[1]  the stream, <prefix>:dead-letters; ARGV[1] the operation
--   put <seconds> <most> <mark> (<field> <value>)*   keeps a letter unless one of the same mark was kept within the
--                                                    time, as when many nodes hold the same channel  -> {id or ''}
--   list <before id or +> <count>                    newest first -> {{id, {(field, value)*}}*}
--   remove <id>                                      -> {removed}
--
-- The mark is a string, <prefix>:{<stream>}:<mark>: in Cluster the braces put it into the stream's slot.
local operation = ARGV[1]
if operation == 'put' then
  if not redis.call('SET', string.match(KEYS[1], '^[^:]+') .. ':{' .. KEYS[1] .. '}:' .. ARGV[4], '1', 'NX', 'EX', ARGV[2]) then return {''} end
  return {redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 5))}
end
if operation == 'list' then return redis.call('XREVRANGE', KEYS[1], ARGV[2], '-', 'COUNT', ARGV[3]) end
if operation == 'remove' then return {redis.call('XDEL', KEYS[1], ARGV[2])} end
return redis.error_reply('CARILLONOP unknown operation')
