-- Leases of nodes: who is alive, who leads, and who cleans up after a dead one. All times are the Redis clock's.
--
-- KEYS[1]  <prefix>:nodes:lease (in Cluster <prefix>:{nodes}:lease)   sorted set, node -> expiry in ms; beside it :reap (sorted set, dead node -> when its
--          reaper's claim ends, or when its last clean-up is due), :reapers (hash, dead node -> its reaper), :passes
--          (hash, dead node -> clean-ups finished), :info (hash of descriptions, JSON), :leader (string)
-- ARGV[1]  the operation; ARGV[2] the caller's incarnation, <boot>.<n>
--   join  <node> <lease ms> <info> <previous incarnation or ''>  -> {1}; the previous one is handed to a reaper
--   beat  <node> <lease ms> <info> <leader ms> <neighbours>      -> {1, now ms, leads 0|1, nodes, run id of this Redis,
--            subscribers of the caller's topic, {clean-up due}*, {(node, score, subscribers)*}, {(node, score)*}}
--            or {0}: the lease was taken, the caller is fenced. The first pairs are the caller's neighbours in the
--            ring, up to <neighbours> with a subscriber and those without one passed on the way, 32 at most; the last
--            are expired
--            In Cluster subscribers are not counted here (they may be another primary's): all are -1, and the
--            neighbours are the next <neighbours> whatever their state; the caller asks their primaries
--   live                                                         -> {node*}
--   leased                                                       -> {node*}: those whose lease is not over
--   claim <me> <claim ms> (<suspect> <score>)*                   -> {node*}: the caller must reap these. A suspect is
--            given if its score is still this one and its lease is over or its topic has no subscriber (in Cluster:
--            the score alone; the caller has asked); with it come the clean-ups it had claimed, and those that are
--            due. A node goes to one caller only
--   renew <me> <claim ms> <dead>                                 -> {1} still the caller's, {0} lost
--   done  <me> <late ms> <dead>                                  -> {1} due once more after <late ms> (late writes of
--            a node that was only frozen), {2} finished for good, {0} not the caller's
--   bury  <me> <node>*                                           -> {buried}: those without lease are due for a clean-up
--   leave <node> <clean 0|1>                                     -> {1}; a stop; unclean if something is left to reap
local stem = string.match(KEYS[1], '^(.+):lease$')
if not stem then return redis.error_reply('CARILLONKEY expected <prefix>:nodes:lease') end
local lease, reap, info, reapers, passes, leader =
  KEYS[1], stem .. ':reap', stem .. ':info', stem .. ':reapers', stem .. ':passes', stem .. ':leader'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local operation, node = ARGV[1], ARGV[2]

local SHARDED = '@PUB@' == 'SPUBLISH'

-- Subscribers of <prefix>:node:{<boot>}. A process that was killed has none within milliseconds; a frozen one has one.
local function subscribers(of)
  if SHARDED then return -1 end
  local boot = string.match(of, '^(.+)%.%d+$') or of
  return redis.call('PUBSUB', 'NUMSUB', string.gsub(stem, 's$', '') .. ':{' .. boot .. '}')[2]
end

local function neighbours(wanted)
  local out = {}
  if wanted == 0 then return out end
  local all = redis.call('ZRANGE', lease, 0, -1, 'WITHSCORES')
  local names, scores = {}, {}
  for i = 1, #all, 2 do
    names[#names + 1] = all[i]
    scores[all[i]] = all[i + 1]
  end
  table.sort(names)
  local at = 1
  while names[at] ~= node do at = at + 1 end
  local alive = 0
  for step = 1, #names - 1 do
    local name = names[(at - 1 + step) % #names + 1]
    local count = subscribers(name)
    out[#out + 1] = name
    out[#out + 1] = scores[name]
    out[#out + 1] = count
    if count ~= 0 then alive = alive + 1 end
    if alive == wanted or step == 32 then break end
  end
  return out
end

if operation == 'join' then
  redis.call('ZADD', lease, text(now + ARGV[3]), node)
  redis.call('HSET', info, node, ARGV[4])
  local previous = ARGV[5] or ''
  if previous ~= '' and not redis.call('ZSCORE', reap, previous) then
    redis.call('ZREM', lease, previous)
    redis.call('HDEL', info, previous)
    redis.call('ZADD', reap, text(now), previous)
  end
  return {1}
elseif operation == 'beat' then
  if not redis.call('ZSCORE', lease, node) then return {0} end
  redis.call('ZADD', lease, text(now + ARGV[3]), node)
  redis.call('HSET', info, node, ARGV[4])
  local leads = redis.call('GET', leader)
  if not leads or leads == node then
    redis.call('SET', leader, node, 'PX', ARGV[5])
    leads = node
  end
  return {1, text(now), leads == node and 1 or 0, redis.call('ZCARD', lease),
    string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or '', subscribers(node),
    redis.call('ZRANGEBYSCORE', reap, '-inf', text(now), 'LIMIT', 0, 16),
    neighbours(tonumber(ARGV[6])),
    redis.call('ZRANGEBYSCORE', lease, '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, 16)}
elseif operation == 'live' then
  return redis.call('ZRANGE', lease, 0, -1)
elseif operation == 'leased' then
  return redis.call('ZRANGEBYSCORE', lease, '(' .. text(now), '+inf')
elseif operation == 'claim' then
  local got = {}
  local function take(dead)
    redis.call('ZREM', lease, dead)
    redis.call('HDEL', info, dead)
    redis.call('ZADD', reap, text(now + ARGV[3]), dead)
    redis.call('HSET', reapers, dead, node)
    got[#got + 1] = dead
  end
  for i = 4, #ARGV, 2 do
    local suspect, score = ARGV[i], redis.call('ZSCORE', lease, ARGV[i])
    if suspect ~= node and score and score == ARGV[i + 1]
      and (tonumber(score) <= now or subscribers(suspect) <= 0) then
      local claims = redis.call('HGETALL', reapers)
      take(suspect)
      for k = 1, #claims, 2 do
        if claims[k + 1] == suspect then take(claims[k]) end
      end
    end
  end
  local due = redis.call('ZRANGEBYSCORE', reap, '-inf', text(now), 'LIMIT', 0, 16)
  for i = 1, #due do take(due[i]) end
  return got
elseif operation == 'renew' then
  if redis.call('HGET', reapers, ARGV[4]) ~= node then return {0} end
  redis.call('ZADD', reap, text(now + ARGV[3]), ARGV[4])
  return {1}
elseif operation == 'done' then
  if redis.call('HGET', reapers, ARGV[4]) ~= node then return {0} end
  redis.call('HDEL', reapers, ARGV[4])
  if redis.call('HINCRBY', passes, ARGV[4], 1) == 1 then
    redis.call('ZADD', reap, text(now + ARGV[3]), ARGV[4])
    return {1}
  end
  redis.call('HDEL', passes, ARGV[4])
  redis.call('ZREM', reap, ARGV[4])
  return {2}
elseif operation == 'bury' then
  local buried = 0
  for i = 3, #ARGV do
    if not redis.call('ZSCORE', lease, ARGV[i]) and not redis.call('ZSCORE', reap, ARGV[i]) then
      redis.call('ZADD', reap, text(now), ARGV[i])
      buried = buried + 1
    end
  end
  return {buried}
elseif operation == 'leave' then
  redis.call('ZREM', lease, node)
  redis.call('HDEL', info, node)
  if redis.call('GET', leader) == node then redis.call('DEL', leader) end
  if ARGV[3] ~= '1' then redis.call('ZADD', reap, text(now), node) end
  return {1}
end
return redis.error_reply('CARILLONOP unknown operation')
